package memory

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestAvailableMemory(t *testing.T) {
	t.Setenv("GOMEMLIMIT", "")
	const machine = "MemFree:  1 kB\nMemTotal:       24576 kB\n"
	for _, test := range []struct {
		name  string
		files map[string]string
		want  int64
	}{
		{"a machine", map[string]string{"proc/meminfo": machine}, 24 << 20},
		{"a container", map[string]string{"proc/meminfo": machine, "proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "1048576\n"}, 1 << 20},
		{"one without a limit", map[string]string{"proc/meminfo": machine, "proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "max\n"}, 24 << 20},
		{"a service in a slice", map[string]string{"proc/meminfo": machine, "proc/self/cgroup": "0::/a.slice/b.service\n",
			"sys/fs/cgroup/a.slice/b.service/memory.max": "max\n", "sys/fs/cgroup/a.slice/memory.max": "2097152\n"}, 2 << 20},
		{"version 1", map[string]string{"proc/meminfo": machine, "sys/fs/cgroup/memory/memory.limit_in_bytes": "3145728\n"}, 3 << 20},
		{"version 1 without a limit", map[string]string{"proc/meminfo": machine, "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n"}, 24 << 20},
		{"nothing is known", nil, 1<<63 - 1},
	} {
		root := t.TempDir()
		for name, text := range test.files {
			os.MkdirAll(filepath.Dir(filepath.Join(root, name)), 0o755)
			if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got := availableMemory(root); got != test.want {
			t.Errorf("%s: %d, want %d", test.name, got, test.want)
		}
	}
}

// What there is of memory is shared out: the least to all, and the rest to those
// who can use it.
func TestMemoryIsDivided(t *testing.T) {
	for _, test := range []struct {
		name   string
		all    int64
		claims []Claim
		limits []int64
		away   int
	}{
		{"room for all", 100, []Claim{{Published: true, least: 10, full: 30}, {Published: true, least: 10, full: 20}}, []int64{30 + 19, 20 + 19}, 0},
		{"who wants little leaves more", 60, []Claim{{Published: true, least: 10, full: 100}, {Published: true, least: 10, full: 15}}, []int64{38, 15}, 0},
		{"what has ended keeps what it holds", 60, []Claim{{held: 20, least: 20, full: 20}, {Published: true, least: 10, full: 100}}, []int64{0, 33}, 0},
		{"slow viewers take from windows, and send nobody away", 60, []Claim{{Published: true, least: 30, full: 100, pinned: 50}, {Published: true, least: 20, full: 100}}, []int64{30, 20}, 0},
		{"the youngest goes", 60, []Claim{{Published: true, least: 30, full: 100}, {Published: true, least: 10, full: 100}, {Published: true, least: 30, full: 100}}, []int64{36, 17, 0}, 1},
		{"one alone goes, too", 60, []Claim{{Published: true, least: 70, full: 100}}, []int64{0}, 1},
		{"no bound but a stream's", 0, []Claim{{Published: true, least: 70, full: 100}}, []int64{1000}, 0},
	} {
		limits, away := Budget{All: test.all, Stream: 1000}.Divide(test.claims)
		if !slices.Equal(limits, test.limits) || away != test.away {
			t.Errorf("%s: %v, %d go; want %v, %d", test.name, limits, away, test.limits, test.away)
		}
	}
}
