package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestRelay: a stream goes on to nginx-rtmp, to another sluice by RTMPS, and to one that is down at
// first; and is fetched from nginx-rtmp and from sluice, always and on demand. What comes out of each
// is what was sent, access unit by access unit, from a keyframe on, and a reader at the source sees
// nothing of any of it.
func TestRelay(t *testing.T) {
	if testing.Short() {
		t.Skip("publishes for twelve seconds")
	}
	t.Parallel()
	needs(t, "ffmpeg", "nginx")
	needsFile(t, rtmpModule, "libnginx-mod-rtmp")
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	writeCertificate(t, cert, key, 1)
	nginx := startRTMPNginx(t, dir)
	secure, late := freeAddr(t), freeAddr(t)

	target := startServer(t, "-rtmp-tls-addr", secure, "-rtmp-tls-cert", cert, "-rtmp-tls-key", key, "-publish-users", "anna=SECRETPASS", "-publish-login", "always")
	s := startServerWith(t, []string{"SSL_CERT_FILE=" + cert},
		"-push", "live/cam1=rtmp://"+nginx+"/live/SECRETKEY,live/cam1=rtmps://anna:SECRETPASS@"+secure+"/live/SECRETKEY,live/cam1=rtmp://"+late+"/live/late?token=SECRETTOKEN")
	fetching := startServer(t, "-window-grace", "0s", "-pull", "live/nginx=rtmp://"+nginx+"/live/SECRETKEY,live/sluice="+s.rtmpURL("live/cam1")+"#on_demand")

	tags := clipTags(t, clip360(t))
	for i := range tags {
		if tags[i].Timestamp > 14_000 {
			tags = tags[:i]
			break
		}
	}
	p := publish(t, s.rtmpURL("live/cam1"), nil, tags)
	awaitPlayable(t, s, "live/cam1")
	saved := func(name string) string { return filepath.Join(dir, name+".flv") }
	readers := make(map[string]*child)
	read := func(name, url string) {
		readers[name] = start(t, "ffmpeg", "-nostdin", "-hide_banner", "-loglevel", "warning", "-i", url, "-c", "copy", "-copyts", saved(name))
	}
	read("the source", s.rtmpURL("live/cam1"))
	awaitPlayable(t, fetching, "live/nginx")
	read("pulled from nginx", fetching.rtmpURL("live/nginx"))
	read("pulled from sluice", fetching.rtmpURL("live/sluice")) // and so begins it
	awaitPlayable(t, target, "live/SECRETKEY")
	read("pushed by RTMPS", target.rtmpURL("live/SECRETKEY"))
	time.Sleep(2 * time.Second)
	back := startServer(t, "-rtmp-addr", late)
	eventually(t, 10*time.Second, "a target that was down gets the stream", func() error { return relayed(s, "push", 3, "live") })
	awaitPlayable(t, back, "live/late")
	read("pushed to one that was down", "rtmp://"+late+"/live/late")
	p.done.Wait()
	if p.err != nil {
		t.Fatal(p.err)
	}

	sent := sourceOf(t, tags)
	ended := time.After(20 * time.Second)
	check := func(name string, got source) {
		if err := sameFrom(sent, got); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		t.Logf("%s: %d pictures, %d sounds of %d and %d", name, len(got.video), len(got.audio), len(sent.video), len(sent.audio))
	}
	for name, r := range readers {
		select {
		case <-r.exited:
			check(name, readClip(t, saved(name)))
		case <-ended:
			t.Errorf("%s doesn't end with the stream", name)
		}
	}
	files, err := filepath.Glob(filepath.Join(dir, "record", "*.flv"))
	if err != nil || len(files) != 1 {
		t.Fatalf("nginx has recorded %v, %v", files, err)
	}
	check("pushed to nginx, as it recorded it", readClip(t, files[0]))
	for _, one := range []*server{s, fetching} {
		shown := string(one.get(t, "http://"+one.admin+"/api/v1/relays")) + string(one.get(t, "http://"+one.admin+"/api/v1/config"))
		if all := shown + one.output.String(); strings.Contains(all, "SECRET") || strings.Contains(all, "anna") {
			t.Errorf("a secret is shown: %s", all)
		}
	}
}

// TestRelayLong: a target is killed for a minute, and one stands still, while somebody watches.
func TestRelayLong(t *testing.T) {
	if os.Getenv("E2E_PLAY") == "" {
		t.Skip("takes two minutes: make test-play")
	}
	needs(t, "ffmpeg", "nginx")
	needsFile(t, rtmpModule, "libnginx-mod-rtmp")
	dir := t.TempDir()
	nginx := startRTMPNginx(t, dir)
	other := startServer(t)
	s := startServer(t, "-push", "live/cam1=rtmp://"+nginx+"/live/x,live/cam1="+other.rtmpURL("live/copy"))
	encoder := s.pushClipLoop(t, clip360(t), "live/cam1")
	awaitPlayable(t, s, "live/cam1")
	viewer := start(t, "ffmpeg", "-nostdin", "-hide_banner", "-loglevel", "warning", "-i", s.rtmpURL("live/cam1"), "-c", "copy", "-copyts", filepath.Join(dir, "viewer.flv"))
	awaitPlayable(t, other, "live/copy")
	time.Sleep(5 * time.Second)
	killChild(other.cmd.Process)
	<-other.exited
	eventually(t, 20*time.Second, "its failure shows", func() error { return relayed(s, "push", 2, "failed") })
	time.Sleep(time.Minute)
	if err := relayed(s, "push", 1, "live"); err != nil {
		t.Error(err)
	}
	other.run(t)
	t.Cleanup(func() { other.stop(t) })
	began := time.Now()
	eventually(t, 20*time.Second, "it is back", func() error { return relayed(s, "push", 2, "live") })
	t.Logf("back %v after the target was", time.Since(began).Round(100*time.Millisecond))
	awaitPlayable(t, other, "live/copy")
	time.Sleep(5 * time.Second)
	_ = encoder.cmd.Process.Signal(os.Interrupt)
	<-encoder.exited
	<-viewer.exited
	got := readClip(t, filepath.Join(dir, "viewer.flv"))
	for i := 1; i < len(got.video); i++ {
		if step := got.video[i].dts - got.video[i-1].dts; step > 40 || step < 20 {
			t.Errorf("the viewer has a step of %d ms at picture %d", step, i)
		}
	}
	t.Logf("the viewer got %d pictures without a gap", len(got.video))
}

// relayed tells whether a relay is in a state.
func relayed(s *server, direction string, number int, state string) error {
	body, err := s.body(context.Background(), "http://"+s.admin+"/api/v1/relays")
	if err != nil {
		return err
	}
	var list struct {
		Relays []struct {
			Direction, State, Why string
			Number                int
		}
	}
	if err := json.Unmarshal(body, &list); err != nil {
		return err
	}
	for _, r := range list.Relays {
		if r.Direction == direction && r.Number == number {
			if r.State == state {
				return nil
			}
			return fmt.Errorf("%s %d is %s: %s", direction, number, r.State, r.Why)
		}
	}
	return errors.New("there is no such relay")
}

const rtmpModule = "/usr/lib/nginx/modules/ngx_rtmp_module.so"

// needsFile fails the test when a file of a Debian package is missing.
func needsFile(t testing.TB, path, of string) {
	t.Helper()
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%s is missing, and this test is nothing without it: apt-get install %s", path, of)
	}
}

// startRTMPNginx runs nginx-rtmp, which records what is published in dir/record.
func startRTMPNginx(t testing.TB, dir string) (addr string) {
	t.Helper()
	addr = freeAddr(t)
	record := filepath.Join(dir, "record")
	if err := os.Mkdir(record, 0o777); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(dir, "nginx.conf")
	text := `load_module ` + rtmpModule + `;
daemon off;
user root;
worker_processes 1;
pid ` + dir + `/pid;
error_log stderr warn;
events { worker_connections 256; }
rtmp {
	access_log off;
	server {
		listen ` + addr + `;
		chunk_size 4096;
		application live {
			live on;
			record all;
			record_path ` + record + `;
		}
	}
}
`
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	start(t, "nginx", "-p", dir, "-e", filepath.Join(dir, "error.log"), "-c", config)
	awaitListening(t, addr)
	return addr
}
