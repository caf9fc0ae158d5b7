package config

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const someHash = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

// at moves the test to an empty working directory holding the files given as name, content, ….
func at(t *testing.T, files ...string) {
	t.Helper()
	t.Chdir(t.TempDir())
	for i := 0; i < len(files); i += 2 {
		if err := os.WriteFile(files[i], []byte(files[i+1]), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// mustLoad loads where no fault is expected.
func mustLoad(t *testing.T, args, environ []string) Config {
	t.Helper()
	c, _, err := load(args, environ, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// The shipped file is where defaults come from: it has every field, and each of them the value that
// users were promised.
func TestSampleIsDefault(t *testing.T) {
	at(t, "sluice.yaml", string(Sample))
	if diff := cmp.Diff(Default(), mustLoad(t, nil, nil)); diff != "" {
		t.Errorf("sluice.yaml differs from Default() (-default +file):\n%s", diff)
	}

	c := Default()
	l := newLoader(fieldsOf(&c))
	l.parseYAML("sluice.yaml", Sample)
	var all strings.Builder
	for _, f := range l.fields {
		if !strings.HasPrefix(l.origin[f.path], "sluice.yaml:") {
			t.Errorf("sluice.yaml does not name %s", f.path)
		}
		fmt.Fprintf(&all, "%s %s\n", f.path, f)
	}
	for _, want := range []string{
		"rtmp.addr :1935", "rtmp.tls_addr :1936", "http.addr :8080", "http.tls_addr ", "admin.addr 127.0.0.1:9090", "publish.from ", "watch.from ",
		"publish.login auto", "rtmp.unlimited_from private", "window.segments 8", "window.segment_min_duration 2s", "window.part_duration 500ms",
		"window.max_memory 0", "window.grace 30s", "window.linger 1m30s", "http.http3 false", "log.format console",
	} {
		if !strings.Contains("\n"+all.String(), "\n"+want+"\n") {
			t.Errorf("the default is not %q", want)
		}
	}
	c.RTMP.UnlimitedFrom[0] = "any"
	if Default().RTMP.UnlimitedFrom[0] != "private" {
		t.Error("who changes his defaults changes everybody's")
	}
}

func TestDefaultIsValid(t *testing.T) {
	c := Default()
	if faults := c.faults(); len(faults) > 0 {
		t.Error(faults)
	}
}

// Files that change nothing are fine.
func TestEmptyFile(t *testing.T) {
	for _, file := range []string{"", "\n", "# nothing\n", "---\n", "---\n...\n", "{}\n", "rtmp:\n", "rtmp:\n  # addr: x\nlog: ~\n"} {
		at(t, "sluice.yaml", file)
		if diff := cmp.Diff(Default(), mustLoad(t, nil, nil)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", file, diff)
		}
	}
}

func TestFileForms(t *testing.T) {
	at(t, "sluice.yaml", fmt.Sprintf(`
rtmp.addr: ":1"            # a path is as good as nesting
rtmp:
  max_message_size: 1048576
  tls_addr: &tls ":443"
publish:
  from:
    - loopback
    - 192.0.2.0/24
  keys:
    cam1: %[1]s
    live/cam2: "%[1]s"
http:
  tls_addr: ""
  addr: *tls
window: {segments: "12", linger: 2m}
`, someHash))
	want := Default()
	want.RTMP.Addr = ":1"
	want.RTMP.MaxMessageSize = MiB
	want.RTMP.TLSAddr = ":443"
	want.Publish.From = []string{"loopback", "192.0.2.0/24"}
	want.Publish.Keys = map[string]string{"cam1": someHash, "live/cam2": someHash}
	want.HTTP.Addr = ":443"
	want.Window.Segments = 12
	want.Window.Linger = 2 * time.Minute
	if diff := cmp.Diff(want, mustLoad(t, nil, nil)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestFaults(t *testing.T) {
	tests := []struct {
		name string
		file string
		env  []string
		args []string
		want string // one fault a line
	}{
		// Keys.
		{name: "unknown key", file: "rtmp:\n  adr: x\n",
			want: `sluice.yaml:2: rtmp.adr: unknown key (did you mean rtmp.addr?)`},
		{name: "relays", file: "pull:\n  cam1: rtmp://h/live/SECRET\n  live/b: http://h/live/SECRET\n  live/c: rtmp://h/SECRET\n  live/d: rtmp://h/live/a#SECRET\n  live/e: rtmp://h/live/e#on_demand\n" +
			"push:\n  live/e: [rtmp://h/live/e, rtmp://i/a/SECRET, rtmp://i/a/SECRET#enhanced]\n  live/f_720p: rtmp://h/live/f\nabr:\n  suffixes: [_720p]\n",
			want: `sluice.yaml:1: pull: "cam1" is not APP/NAME: the stream key is empty: publish to rtmp://HOST/APP/NAME
sluice.yaml:1: pull: live/b: the URL is not one such as rtmp://example.com/APP/NAME: it doesn't begin with rtmp:// or rtmps://
sluice.yaml:1: pull: live/c: the URL has no APP/NAME behind the host: rtmp://HOST/APP/NAME
sluice.yaml:1: pull: live/d: the URL has something else than on_demand behind #: a # that is part of a key is written %23
sluice.yaml:7: push: live/e: URL 1 is where it is pulled from: it would go in a circle
sluice.yaml:7: push: live/e: URL 3 is the same as URL 2
sluice.yaml:7: push: live/f_720p: is a quality of live/f: a stream is pushed, by its own name`},
		{name: "relay in the wrong shape", file: "pull: rtmp://h/live/SECRET\npush:\n  live/a: {rtmp: //h/live/SECRET}\n",
			want: `sluice.yaml:1: pull: want names and values, not a URL
sluice.yaml:2: push: live/a: want a list, not a mapping`},
		{name: "unknown group", file: "rmtp:\n  addr: x\n",
			want: `sluice.yaml:1: rmtp: unknown key (did you mean rtmp?)`},
		{name: "key of another group", file: "admin: {hold_timeout: 5s}\nrtmp: {hold_timeout: 5s}\n",
			want: "sluice.yaml:1: admin.hold_timeout: unknown key\n" +
				"sluice.yaml:2: rtmp.hold_timeout: unknown key (did you mean http.hold_timeout?)"},
		{name: "nothing like it", file: "colour: blue\n",
			want: `sluice.yaml:1: colour: unknown key`},
		{name: "duplicate key", file: "rtmp:\n  addr: \":1\"\n  addr: \":2\"\n",
			want: `sluice.yaml:3: rtmp.addr: already set in line 2`},
		{name: "duplicate group", file: "log: {level: info}\n\nlog: {format: json}\n",
			want: `sluice.yaml:3: log: already set in line 1`},
		{name: "duplicate by path", file: "log: {level: info}\nlog.level: warn\n",
			want: `sluice.yaml:2: log.level: already set in line 1`},
		{name: "key is a list", file: "[a, b]: c\n",
			want: `sluice.yaml:1: want a key, not a list`},

		// Values of the wrong shape.
		{name: "file is a list", file: "# so\n- rtmp\n",
			want: `sluice.yaml:2: want keys and values, not a list`},
		{name: "file is a word", file: "rtmp\n",
			want: `sluice.yaml:1: want keys and values, not "rtmp"`},
		{name: "group is a value", file: "rtmp: \":1935\"\n",
			want: `sluice.yaml:1: rtmp: want keys and values, not ":1935"`},
		{name: "value is a group", file: "log:\n  level:\n    info: yes\n",
			want: `sluice.yaml:2: log.level: want one value, not a mapping`},
		{name: "value is a list", file: "log: {level: [info]}\n",
			want: `sluice.yaml:1: log.level: want one value, not a list`},
		{name: "no value", file: "http:\n  addr:\n",
			want: `sluice.yaml:2: http.addr: has no value (write "" for empty, or remove the line for the default)`},
		{name: "list is a value", file: "publish:\n  from: any\n",
			want: `sluice.yaml:2: publish.from: want a list such as [a, b], not "any"`},
		{name: "list of lists", file: "publish:\n  from: [[any]]\n",
			want: `sluice.yaml:2: publish.from: entry 1 is not a value, but a list`},
		{name: "list of nothing", file: "publish:\n  from:\n    -\n",
			want: `sluice.yaml:2: publish.from: entry 1 is not a value, but nothing`},

		// The file as such.
		{name: "two documents", file: "log: {level: warn}\n---\nlog: {level: info}\n",
			want: `sluice.yaml:2: a second document; only one is read`},
		{name: "syntax in a later document", file: "log:\n---\nlog: [\n",
			want: `sluice.yaml:3: did not find expected node content`},
		{name: "indentation", file: "# so\n\nlog:\n  level: info\n format: json\n",
			want: `sluice.yaml:5: did not find expected key`},
		{name: "open quote", file: "log:\n  level: \"info\nadmin:\n  addr: x\n",
			want: `sluice.yaml:2: found unexpected end of stream`},
		{name: "open bracket", file: "publish:\n  from: [any\nlog:\n  level: info\n",
			want: `sluice.yaml:2: did not find expected ',' or ']'`},
		{name: "tab", file: "log:\n\tlevel: info\n",
			want: `sluice.yaml:2: found character that cannot start any token`},
		{name: "control character", file: "log:\n  level: \x01\n",
			want: `sluice.yaml:2: control characters are not allowed`},
		{name: "unknown anchor", file: "rtmp: {addr: *nobody}\n",
			want: `sluice.yaml:1: unknown anchor 'nobody' referenced`},
		{name: "no such file by flag", args: []string{"-config", "nope.yaml"},
			want: `-config: open nope.yaml: no such file or directory`},
		{name: "no such file by environment", env: []string{"SLUICE_CONFIG=nope.yaml"},
			want: `SLUICE_CONFIG: open nope.yaml: no such file or directory`},

		// Values that are not what the field takes, from each source.
		{name: "duration", file: "window:\n  part_duration: abc\n",
			want: `sluice.yaml:2: window.part_duration: "abc" is not a duration such as 2s or 500ms`},
		{name: "duration without unit", file: "window:\n  part_duration: 2\n",
			want: `sluice.yaml:2: window.part_duration: "2" is not a duration such as 2s or 500ms`},
		{name: "size", env: []string{"SLUICE_RTMP_MAX_MESSAGE_SIZE=10MB"},
			want: `SLUICE_RTMP_MAX_MESSAGE_SIZE: "10MB" is not a size such as 16MiB, 64KiB or 65536`},
		{name: "number", args: []string{"-window-segments", "many"},
			want: `-window-segments: "many" is not a whole number`},

		// Names from the other sources.
		{name: "unknown variable", env: []string{"SLUICE_RTMP_ADR=:1", "SLUICELIKE=1"},
			want: `SLUICE_RTMP_ADR: unknown variable (did you mean SLUICE_RTMP_ADDR?)`},
		{name: "unknown flag", args: []string{"-http-adr", ":1"},
			want: `-http-adr: unknown flag (did you mean -http-addr?)`},
		{name: "flag without value", args: []string{"-http-addr"},
			want: `flag needs an argument: -http-addr`},

		// Values that make no sense: one line for every rule.
		{name: "addresses", file: "rtmp:\n  addr: \"1935\"\n  tls_addr: \":65536\"\nhttp:\n  addr: \":http\"\nadmin:\n  addr: \"::1:80\"\n",
			want: `sluice.yaml:2: rtmp.addr: "1935" is not an address such as :8080 or 127.0.0.1:8080
sluice.yaml:3: rtmp.tls_addr: ":65536" has a port that is not between 0 and 65535
sluice.yaml:5: http.addr: ":http" has a port that is not between 0 and 65535
sluice.yaml:7: admin.addr: "::1:80" is not an address such as :8080 or 127.0.0.1:8080`},
		{name: "half a key pair", file: "rtmp:\n  tls_cert: sluice.yaml\n", args: []string{"-http-tls-key=sluice.yaml"},
			want: `default: rtmp.tls_key: is empty, but rtmp.tls_cert is "sluice.yaml" (sluice.yaml:2)
default: http.tls_cert: is empty, but http.tls_key is "sluice.yaml" (-http-tls-key)`},
		{name: "unreadable key pair", env: []string{"SLUICE_RTMP_TLS_CERT=no.pem", "SLUICE_RTMP_TLS_KEY=."},
			want: `SLUICE_RTMP_TLS_CERT: open no.pem: no such file or directory
SLUICE_RTMP_TLS_KEY: read .: is a directory`},
		{name: "HTTPS without certificate", args: []string{"-http-tls-addr", "192.0.2.1:x"},
			want: `-http-tls-addr: "192.0.2.1:x" has a port that is not between 0 and 65535
-http-tls-addr: "192.0.2.1:x" needs a certificate, but http.tls_cert is empty (default)`},
		{name: "RTMP", file: `rtmp:
  handshake_timeout: 0s
  publish_timeout: -1s
  idle_timeout: 0s
  write_timeout: 0s
  max_message_size: 17MiB
  max_chunk_streams: 0
  max_connections: 0
  max_per_address: -1
  connection_rate: -1
  connection_burst: 0
  unlimited_from: [lan]
  proxy_protocol_from: [10.0.0.1]
publish:
  from: [private, home, 10.0.0.1, 10.0.0.0/33]
`,
			want: `sluice.yaml:2: rtmp.handshake_timeout: 0s is not more than 0s
sluice.yaml:3: rtmp.publish_timeout: -1s is not more than 0s
sluice.yaml:4: rtmp.idle_timeout: 0s is not more than 0s
sluice.yaml:5: rtmp.write_timeout: 0s is not more than 0s
sluice.yaml:6: rtmp.max_message_size: 17MiB is not between 1MiB and 16MiB
sluice.yaml:7: rtmp.max_chunk_streams: 0 is not between 1 and 65598
sluice.yaml:8: rtmp.max_connections: 0 is less than 1
sluice.yaml:9: rtmp.max_per_address: -1 is less than 0
sluice.yaml:10: rtmp.connection_rate: -1 is less than 0
sluice.yaml:11: rtmp.connection_burst: 0 is less than 1
sluice.yaml:12: rtmp.unlimited_from: "lan" is not a network such as 192.0.2.0/24, loopback, private or any
sluice.yaml:13: rtmp.proxy_protocol_from: "10.0.0.1" is not a network such as 192.0.2.0/24, loopback, private or any
sluice.yaml:15: publish.from: "home" is not a network such as 192.0.2.0/24, loopback, private or any
sluice.yaml:15: publish.from: "10.0.0.1" is not a network such as 192.0.2.0/24, loopback, private or any
sluice.yaml:15: publish.from: "10.0.0.0/33" is not a network such as 192.0.2.0/24, loopback, private or any`},
		{name: "moved", file: "rtmp:\n  publish_from: [any]\n", env: []string{"SLUICE_RTMP_PUBLISH_FROM=any"},
			want: `sluice.yaml:2: rtmp.publish_from: unknown key (it is publish.from now)
SLUICE_RTMP_PUBLISH_FROM: unknown variable (it is SLUICE_PUBLISH_FROM now)`},
		{name: "moved flag", args: []string{"-rtmp-publish-from=any"},
			want: `-rtmp-publish-from: unknown flag (it is -publish-from now)`},
		{name: "keys of the wrong shape", file: "publish:\n  keys: [a]\n  users: {a: [b]}\n",
			want: `sluice.yaml:2: publish.keys: want names and values, not a list
sluice.yaml:3: publish.users: a: want one value, not a list`},
		{name: "a key twice", file: "publish:\n  keys:\n    a: x\n    a: y\n",
			want: `sluice.yaml:2: publish.keys: a: is there twice (line 4)`},
		{name: "keys without hash", env: []string{"SLUICE_PUBLISH_KEYS=cam1"},
			want: `SLUICE_PUBLISH_KEYS: entry 1 is not NAME=VALUE: want a list such as a=x,b=y`},
		{name: "publish", file: `publish:
  deny: [some]
  keys: {cam1: SECRET, a/b/c: ` + someHash + `}
  users: {anna: "", "a b": x, bert: "md5:x:SECRET"}
  login: perhaps
  jwt: {secret: SECRET, jwks_url: "ftp://SECRET"}
  webhook: {url: SECRET, style: xml}
`,
			want: `sluice.yaml:2: publish.deny: "some" is not a network such as 192.0.2.0/24, loopback, private or any
sluice.yaml:3: publish.keys: "a/b/c" is not NAME or APP/NAME: stream key "b/c" has a slash: publish to rtmp://HOST/APP/NAME
sluice.yaml:3: publish.keys: cam1: is not a hash of 64 hex digits; sluice key cam1 makes a key and its hash
sluice.yaml:4: publish.users: "a b" is not a user in letters, digits and - _ . @, at most 64
sluice.yaml:4: publish.users: anna: has no password
sluice.yaml:4: publish.users: bert: is not md5:SALT:HASH as sluice key -user bert prints it
sluice.yaml:5: publish.login: "perhaps" is not one of auto, always, never
sluice.yaml:6: publish.jwt.secret: has 6 bytes: less than 32 can be guessed by whoever has seen a token
sluice.yaml:6: publish.jwt.jwks_url: is set, but so is publish.jwt.secret (sluice.yaml:6)
sluice.yaml:6: publish.jwt.jwks_url: is not a URL such as https://example.com/path: it doesn't begin with http:// or https://
sluice.yaml:7: publish.webhook.url: is not a URL such as https://example.com/path: it doesn't begin with http:// or https://
sluice.yaml:7: publish.webhook.style: "xml" is not one of json, form`},
		{name: "qualities", file: `abr:
  suffixes: [_720p, "", "_36/0p", _720p, 720p, x_720p]
  audio: _360p
publish: {backup_return: true, backup_after: 11s}
`,
			want: `sluice.yaml:4: publish.backup_after: 11s is not between 250ms and 10s
sluice.yaml:4: publish.backup_return: is on, but publish.backup is off (default)
sluice.yaml:2: abr.suffixes: "" can't be the end of a name: 1 to 32 letters, digits and - _ . ~ can
sluice.yaml:2: abr.suffixes: "_36/0p" can't be the end of a name: 1 to 32 letters, digits and - _ . ~ can
sluice.yaml:2: abr.suffixes: "_720p" is there twice
sluice.yaml:2: abr.suffixes: "_720p" ends with "720p": it wouldn't be clear which of them a name ends with
sluice.yaml:2: abr.suffixes: "x_720p" ends with "_720p": it wouldn't be clear which of them a name ends with
sluice.yaml:2: abr.suffixes: "x_720p" ends with "720p": it wouldn't be clear which of them a name ends with
sluice.yaml:3: abr.audio: "_360p" is not one of abr.suffixes [_720p, , _36/0p, _720p, 720p, x_720p] (sluice.yaml:2)`},
		{name: "too many qualities", env: []string{"SLUICE_ABR_SUFFIXES=_1,_2,_3,_4,_5,_6,_7,_8,_9"},
			want: `SLUICE_ABR_SUFFIXES: has 9; a stream has at most 8 qualities`},
		{name: "sound of a quality that isn't there", args: []string{"-abr-audio=_720p"},
			want: `-abr-audio: "_720p" is not one of abr.suffixes [] (default)`},
		{name: "login without users", file: "publish: {login: always, jwt: {issuer: x}}\n",
			want: `sluice.yaml:1: publish.login: is always, but publish.users is empty (default)
sluice.yaml:1: publish.jwt.issuer: is set, but no secret and no jwks_url: no token would count`},
		{name: "secret file", file: "publish: {jwt: {secret_file: sluice.yaml, secret: " + someHash + "}}\n", args: []string{"-publish-jwt-secret-file=none"},
			want: `-publish-jwt-secret-file: is set, but so is publish.jwt.secret (sluice.yaml:1)
-publish-jwt-secret-file: open none: no such file or directory`},
		{name: "HTTP", file: `http:
  hold_timeout: 9s
  write_timeout: 0s
  max_connections: 0
  max_per_address: -1
  max_waits_per_address: -1
  max_waits_per_stream: -1
  unlimited_from: [lan]
  forwarded_from: [proxy]
  proxy_protocol_from: ["::1"]
`,
			want: `sluice.yaml:2: http.hold_timeout: 9s is not between 1s and 8s
sluice.yaml:3: http.write_timeout: 0s is not more than 0s
sluice.yaml:4: http.max_connections: 0 is less than 1
sluice.yaml:5: http.max_per_address: -1 is less than 0
sluice.yaml:6: http.max_waits_per_address: -1 is less than 0
sluice.yaml:7: http.max_waits_per_stream: -1 is less than 0
sluice.yaml:8: http.unlimited_from: "lan" is not a network such as 192.0.2.0/24, loopback, private or any
sluice.yaml:9: http.forwarded_from: "proxy" is not a network such as 192.0.2.0/24, loopback, private or any
sluice.yaml:10: http.proxy_protocol_from: "::1" is not a network such as 192.0.2.0/24, loopback, private or any`},
		{name: "window", file: "window:\n  segments: 2\n  part_duration: 50ms\n  linger: 59s\n  max_stream_memory: 1KiB\n  max_memory: 1KiB\n",
			want: `sluice.yaml:2: window.segments: 2 is not between 3 and 1000
sluice.yaml:3: window.part_duration: 50ms is not between 100ms and 2s
sluice.yaml:5: window.max_stream_memory: 1KiB is less than 1MiB
sluice.yaml:6: window.max_memory: 1KiB is less than 1MiB
sluice.yaml:4: window.linger: 59s is less than 1m0s`},
		{name: "segments too short", args: []string{"-window-segment-min-duration=999ms"},
			want: `-window-segment-min-duration: 999ms is not between 1s and 30s`},
		{name: "longest segment shorter than shortest", file: "window:\n  segment_min_duration: 12s\n",
			want: `default: window.segment_max_duration: 10s is shorter than window.segment_min_duration 12s (sluice.yaml:2)`},
		{name: "http3", file: "http:\n  http3: true\n",
			want: `sluice.yaml:2: http.http3: is on, but http.tls_addr is empty (default)`},
		{name: "target", file: "window:\n  target_duration: 2500ms\n",
			want: `sluice.yaml:2: window.target_duration: 2.5s is not a whole number of seconds`},
		{name: "target shorter than segment", file: "window:\n  target_duration: 1s\n",
			want: `sluice.yaml:2: window.target_duration: 1s is shorter than window.segment_min_duration 2s (default)`},
		{name: "admin for all", args: []string{"-admin-addr=:9090"},
			want: `-admin-addr: ":9090" can be reached from elsewhere, but admin.token is empty (default)`},
		{name: "acme", file: "acme:\n  domains: [\"*.example.com\", localhost, Live.example.com]\n  cache: \"\"\n  directory: letsencrypt\n",
			want: `sluice.yaml:2: acme.domains: "*.example.com" is not a name such as live.example.com
sluice.yaml:2: acme.domains: "localhost" is not a name such as live.example.com
sluice.yaml:2: acme.domains: "Live.example.com" is not a name such as live.example.com
sluice.yaml:3: acme.cache: is empty: certificates would be asked for at each start, which authorities don't allow
sluice.yaml:4: acme.directory: is not a URL such as https://example.com/path: it doesn't begin with http:// or https://`},
		{name: "short token", env: []string{"SLUICE_ADMIN_TOKEN=SECRET"},
			want: `SLUICE_ADMIN_TOKEN: has 6 characters: less than 16 can be guessed`},
		{name: "strange token", env: []string{"SLUICE_ADMIN_TOKEN=SECRET SECRET SECRET"},
			want: `SLUICE_ADMIN_TOKEN: has other characters than ASCII's letters, digits and signs`},
		{name: "part longer than segment", file: "window:\n  part_duration: 2s\n", env: []string{"SLUICE_WINDOW_SEGMENT_MIN_DURATION=1s"},
			want: `sluice.yaml:2: window.part_duration: 2s is longer than window.segment_min_duration 1s (SLUICE_WINDOW_SEGMENT_MIN_DURATION)`},
		{name: "log", file: "log:\n  level: loud\n  format: xml\n",
			want: `sluice.yaml:2: log.level: "loud" is not one of debug, info, warn, error
sluice.yaml:3: log.format: "xml" is not one of console, json`},

		{name: "watch",
			file: "watch:\n  token_keys: [xyz, abcd, \"00\"]\n  secret: short\n  webhook: {url: \"ftp://host/\"}\n  session: 1s\n  deny: [some]\n  referers: [\"http://a.example/\"]\n",
			want: "sluice.yaml:2: watch.token_keys: has 3 keys; two are enough to change from one to the other\n" +
				"sluice.yaml:2: watch.token_keys: key 1 is not at least 32 hex digits: `openssl rand -hex 32` makes one\n" +
				"sluice.yaml:2: watch.token_keys: key 2 is not at least 32 hex digits: `openssl rand -hex 32` makes one\n" +
				"sluice.yaml:2: watch.token_keys: key 3 is not at least 32 hex digits: `openssl rand -hex 32` makes one\n" +
				"sluice.yaml:4: watch.webhook.url: is not a URL such as https://example.com/path: it doesn't begin with http:// or https://\n" +
				"sluice.yaml:3: watch.secret: is shorter than 16 characters: `openssl rand -hex 32` makes a good one\n" +
				"sluice.yaml:5: watch.session: 1s is not between 1m0s and 720h0m0s\n" +
				"sluice.yaml:6: watch.deny: \"some\" is not a network such as 192.0.2.0/24, loopback, private or any\n" +
				"sluice.yaml:7: watch.referers: \"http://a.example/\" is not a host such as example.com or *.example.com"},

		{name: "hooks",
			file: "hooks:\n  urls: [\"https://a/\", \"\", \"https://a/\", \"file:///x\", \"a\", \"http://b:SECRET\", \"http:///\", \"http:d\", \"http://e/\"]\n  secrets: [hush, whsec_hush, whsec_aHVzaA==]\n  events: [ready, missed]\n",
			want: "sluice.yaml:2: hooks.urls: has 9; at most 8 are told\n" +
				"sluice.yaml:2: hooks.urls: URL 2 is empty\n" +
				"sluice.yaml:2: hooks.urls: URL 3 is the same as URL 1\n" +
				"sluice.yaml:2: hooks.urls: URL 4 is not one such as https://example.com/path: it doesn't begin with http:// or https://\n" +
				"sluice.yaml:2: hooks.urls: URL 5 is not one such as https://example.com/path: it doesn't begin with http:// or https://\n" +
				"sluice.yaml:2: hooks.urls: URL 6 is not one such as https://example.com/path: its port is no number, a % in it has no two hex digits behind it, or it has a character that no URL has\n" +
				"sluice.yaml:2: hooks.urls: URL 7 is not one such as https://example.com/path: it has no host behind ://\n" +
				"sluice.yaml:2: hooks.urls: URL 8 is not one such as https://example.com/path: it doesn't begin with http:// or https://\n" +
				"sluice.yaml:3: hooks.secrets: has 3; two are enough to change from one to the other\n" +
				"sluice.yaml:3: hooks.secrets: secret 1 is not whsec_ and 24 to 64 bytes in base64: `echo whsec_$(openssl rand -base64 32)` makes one\n" +
				"sluice.yaml:3: hooks.secrets: secret 2 is not whsec_ and 24 to 64 bytes in base64: `echo whsec_$(openssl rand -base64 32)` makes one\n" +
				"sluice.yaml:3: hooks.secrets: secret 3 is not whsec_ and 24 to 64 bytes in base64: `echo whsec_$(openssl rand -base64 32)` makes one\n" +
				"sluice.yaml:4: hooks.events: \"missed\" is not one of published, unpublished, ready, lost, back, ended, health, switched, refused, relay, reloaded, drain"},

		// All at once, weakest source first, and nothing said about values nobody wrote: the part
		// is not compared to a segment_min_duration that could not be read.
		{name: "several at once",
			file: `# a bad day
rtmp:
  adr: ":1935"
  max_connections: lots

window:
  segment_min_duration: x
  part_duration: 3s
`,
			env:  []string{"SLUICE_LOG_LEVEL=loud", "SLUICE_FOO=bar"},
			args: []string{"-http-hold-timeout=1h", "-window-linger=forever"},
			want: `sluice.yaml:3: rtmp.adr: unknown key (did you mean rtmp.addr?)
sluice.yaml:4: rtmp.max_connections: "lots" is not a whole number
sluice.yaml:7: window.segment_min_duration: "x" is not a duration such as 2s or 500ms
SLUICE_FOO: unknown variable
-window-linger: "forever" is not a duration such as 2s or 500ms
-http-hold-timeout: 1h0m0s is not between 1s and 8s
sluice.yaml:8: window.part_duration: 3s is not between 100ms and 2s
SLUICE_LOG_LEVEL: "loud" is not one of debug, info, warn, error`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			at(t, "sluice.yaml", tt.file)
			_, _, err := load(tt.args, tt.env, io.Discard)
			if err == nil {
				t.Fatal("no error")
			}
			if diff := cmp.Diff(strings.Split(tt.want, "\n"), strings.Split(err.Error(), "\n")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// Where one entry of a list can't be used, the fault says which: by its number, or its name.
func TestFaultsNameTheEntry(t *testing.T) {
	const wrong = "//SPOILT"
	c := Default()
	for _, f := range fieldsOf(&c) {
		text := ""
		switch f.ptr.(type) {
		case *[]string:
			good, _, _ := strings.Cut(other(t, f), ",")
			text = good + "," + wrong
		case *map[string]string:
			text = "live/b=" + wrong
			if f.path == "publish.users" {
				text = "live/b=md5:" + wrong
			}
		case *map[string][]string:
			text = "live/b=rtmp://example.com/app/b,live/b=" + wrong
		default:
			continue
		}
		at(t)
		var names *regexp.Regexp
		if _, ok := f.ptr.(*map[string]string); ok {
			names = regexp.MustCompile(`live/b`)
		} else {
			names = regexp.MustCompile(`\b(entry|URL|key|secret) 2\b|"//SPOILT"`)
		}
		_, _, err := load(nil, []string{envName(f.path) + "=" + text}, io.Discard)
		if err == nil {
			t.Errorf("%s takes %s", f.path, text)
			continue
		}
		for line := range strings.Lines(err.Error()) {
			if !names.MatchString(line) {
				t.Errorf("%s=%s: which entry? %s", f.path, text, line)
			}
		}
	}
}

func TestOff(t *testing.T) {
	at(t)
	c := mustLoad(t, []string{"-rtmp-addr="}, []string{"SLUICE_ADMIN_ADDR="})
	if c.RTMP.Addr != "" || c.Admin.Addr != "" {
		t.Errorf("rtmp.addr %q, admin.addr %q, want both empty", c.RTMP.Addr, c.Admin.Addr)
	}
}

func TestPrecedence(t *testing.T) {
	const file = "http: {addr: \":2\"}\n"
	env := []string{"PATH=/bin", "SLUICE_HTTP_ADDR=:3"}
	args := []string{"-http-addr", ":4"}
	tests := []struct {
		name string
		file string
		env  []string
		args []string
		want string
	}{
		{"default", "", nil, nil, ":8080"},
		{"file over default", file, nil, nil, ":2"},
		{"environment over file", file, env, nil, ":3"},
		{"flag over environment", file, env, args, ":4"},
		{"flag over file", file, nil, args, ":4"},
		{"last flag", file, nil, append(args, "-http-addr=:5"), ":5"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			at(t, "sluice.yaml", tt.file)
			if got := mustLoad(t, tt.args, tt.env).HTTP.Addr; got != tt.want {
				t.Errorf("http.addr is %q, want %q", got, tt.want)
			}
		})
	}
}

// A Service of Kubernetes that is called sluice, or sluice-rtmp, must not keep
// its containers from starting; what somebody wrote by mistake must.
func TestKubernetes(t *testing.T) {
	theirs := []string{
		"SLUICE_SERVICE_HOST=10.0.0.11", "SLUICE_SERVICE_PORT=1935", "SLUICE_SERVICE_PORT_HTTP=8080",
		"SLUICE_PORT=tcp://10.0.0.11:1935", "SLUICE_PORT_1935_TCP=tcp://10.0.0.11:1935", "SLUICE_PORT_1935_TCP_PROTO=tcp",
		"SLUICE_PORT_1935_TCP_PORT=1935", "SLUICE_PORT_1935_TCP_ADDR=10.0.0.11", "SLUICE_PORT_443_UDP=udp://10.0.0.11:443",
		"SLUICE_RTMP_SERVICE_HOST=10.0.0.12", "SLUICE_RTMP_PORT=tcp://10.0.0.12:1935",
	}
	if _, _, err := Load(nil, theirs); err != nil {
		t.Error(err)
	}
	for _, entry := range []string{"SLUICE_PORT=1935", "SLUICE_RTMP_PORT=:1935", "SLUICE_SERVICE=x", "SLUICE_PORT_TCP=1"} {
		if _, _, err := Load(nil, []string{entry}); err == nil {
			t.Errorf("%s: nothing is said", entry)
		}
	}
}

func TestWhichFile(t *testing.T) {
	at(t,
		"sluice.yaml", "log: {level: debug}\n",
		"env.yaml", "log: {level: warn}\n",
		"flag.yaml", "log: {level: error}\n")
	env, args := []string{"SLUICE_CONFIG=env.yaml"}, []string{"-config", "flag.yaml"}
	if got := mustLoad(t, nil, nil).Log.Level; got != "debug" {
		t.Errorf("by default log.level is %s, want the one in sluice.yaml", got)
	}
	if got := mustLoad(t, nil, []string{"SLUICE_CONFIG="}).Log.Level; got != "debug" {
		t.Errorf("with an empty variable log.level is %s, want the one in sluice.yaml", got)
	}
	if got := mustLoad(t, nil, env).Log.Level; got != "warn" {
		t.Errorf("by environment log.level is %s, want the one in env.yaml", got)
	}
	if got := mustLoad(t, args, env).Log.Level; got != "error" {
		t.Errorf("by flag log.level is %s, want the one in flag.yaml", got)
	}
}

func TestRest(t *testing.T) {
	at(t)
	_, rest, err := load([]string{"-log-level", "debug", "http://localhost/a/", "-x"}, nil, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"http://localhost/a/", "-x"}, rest); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// other returns a valid value for f that is not its default.
func other(t *testing.T, f field) string {
	t.Helper()
	switch p := f.ptr.(type) {
	case *string:
		switch {
		case strings.HasSuffix(f.path, "addr"):
			return "127.0.0.1:0"
		case strings.Contains(f.path, "tls_"):
			return "some.pem"
		case f.path == "log.level":
			return "warn"
		case f.path == "log.format":
			return "json"
		case f.path == "rtmp.play_start":
			return "live"
		case f.path == "publish.login":
			return "never"
		case f.path == "abr.audio":
			return "_720p"
		case strings.HasSuffix(f.path, ".style"):
			return "form"
		case strings.HasSuffix(f.path, "url"), f.path == "acme.directory":
			return "https://example.com/"
		case strings.HasSuffix(f.path, "_file"):
			return "secret.txt"
		default:
			return someHash
		}
	case *int:
		return "100"
	case *bool:
		return fmt.Sprint(!*p)
	case *time.Duration:
		if f.path == "window.target_duration" {
			return "4s" // whole seconds alone
		}
		return (*p + time.Second/2).String()
	case *Size:
		return "2MiB"
	case *[]string:
		switch f.path {
		case "watch.token_keys":
			return "0123456789abcdef0123456789abcdef,fedcba9876543210fedcba9876543210"
		case "abr.suffixes":
			return "_720p,_360p"
		case "hooks.urls":
			return "https://example.com/a,http://127.0.0.1:8000"
		case "hooks.secrets":
			return "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw,whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
		case "hooks.events":
			return "ended,refused"
		case "watch.referers", "acme.domains":
			return "example.com,example.org"
		}
		return "loopback,192.0.2.0/24"
	case *map[string][]string:
		return "live/a=rtmp://example.com/app/k?a=b,live/a=rtmps://example.org:443/app/inst/k#enhanced,live/b=rtmp://example.com/app/b"
	case *map[string]string:
		if f.path == "pull" {
			return "live/a=rtmp://anna:secret@example.com/app/k,live/b=rtmps://example.com/app/b#on_demand"
		}
		return "a=" + someHash + ",b=" + someHash
	}
	t.Fatalf("this test does not know what to write into %s", f.path)
	return ""
}

// companions are what some fields need beside them to be valid.
func companions(path string) []string {
	switch path {
	case "publish.backup_return":
		return []string{"-publish-backup"}
	case "abr.audio":
		return []string{"-abr-suffixes=_720p"}
	}
	if path == "watch.require_referer" {
		return []string{"-watch-referers=example.com"}
	}
	if path == "http.http3" {
		return []string{"-http-tls-addr=127.0.0.1:0", "-http-tls-cert=some.pem", "-http-tls-key=some.pem"}
	}
	if section, name, _ := strings.Cut(path, ".jwt."); name == "issuer" || name == "audience" {
		return []string{"-" + section + "-jwt-jwks-url=https://example.com/"}
	}
	group, name, _ := strings.Cut(path, ".")
	if !strings.HasPrefix(name, "tls_") {
		return nil
	}
	return []string{"-" + group + "-tls-cert=some.pem", "-" + group + "-tls-key=some.pem"}
}

// Every field can be set by each source, and the source sets no other field.
func TestEveryField(t *testing.T) {
	at(t, "some.pem", "-", "secret.txt", someHash+"\n")
	def := Default()
	for i, f := range fieldsOf(&def) {
		value := other(t, f)
		extra := companions(f.path)
		if value == f.String() {
			t.Errorf("%s: %q is the default already", f.path, value)
		}

		want := mustLoad(t, extra, nil)
		if err := fieldsOf(&want)[i].set(value); err != nil {
			t.Fatal(err)
		}
		byEnv := mustLoad(t, extra, []string{envName(f.path) + "=" + value})
		if diff := cmp.Diff(want, byEnv); diff != "" {
			t.Errorf("%s (-want +got):\n%s", envName(f.path), diff)
		}
		args := append(extra, flagName(f.path), value)
		if value == "false" { // true needs no value, so this one needs a sign
			args = append(extra, flagName(f.path)+"=false")
		}
		byFlag := mustLoad(t, args, nil)
		if diff := cmp.Diff(want, byFlag); diff != "" {
			t.Errorf("%s (-want +got):\n%s", flagName(f.path), diff)
		}
		inYAML := `"` + value + `"`
		switch f.ptr.(type) {
		case *[]string:
			inYAML = "[" + value + "]"
		case *map[string][]string:
			inYAML = `{live/a: ["rtmp://example.com/app/k?a=b", "rtmps://example.org:443/app/inst/k#enhanced"], live/b: rtmp://example.com/app/b}`
		case *map[string]string:
			inYAML = "{" + strings.NewReplacer("=", ": ", ",", ", ").Replace(value) + "}"
		}
		file := filepath.Join(t.TempDir(), "one.yaml")
		if err := os.WriteFile(file, []byte(f.path+": "+inYAML+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		byFile := mustLoad(t, append(extra, "-config", file), nil)
		if diff := cmp.Diff(want, byFile); diff != "" {
			t.Errorf("%s in the file (-want +got):\n%s", f.path, diff)
		}
	}
}

func TestNames(t *testing.T) {
	tests := []struct{ path, flag, env string }{
		{"rtmp.addr", "-rtmp-addr", "SLUICE_RTMP_ADDR"},
		{"window.segment_min_duration", "-window-segment-min-duration", "SLUICE_WINDOW_SEGMENT_MIN_DURATION"},
	}
	for _, tt := range tests {
		if got := flagName(tt.path); got != tt.flag {
			t.Errorf("flagName(%s) = %s, want %s", tt.path, got, tt.flag)
		}
		if got := envName(tt.path); got != tt.env {
			t.Errorf("envName(%s) = %s, want %s", tt.path, got, tt.env)
		}
	}

	// A dot and an underscore look the same in a flag: no two paths may differ in that alone.
	seen := map[string]string{"-config": "the file's own flag"}
	c := Default()
	for _, f := range fieldsOf(&c) {
		if strings.HasSuffix(f.path, ".") {
			t.Errorf("%q lacks a tag", f.path)
		}
		if short(told()[f.path]) == "" || f.group != "" && short(told()[f.group]) == "" {
			t.Errorf("sluice.yaml has no word on %s, or on its group", f.path)
		}
		if first, ok := seen[flagName(f.path)]; ok {
			t.Errorf("%s and %s are both %s", first, f.path, flagName(f.path))
		}
		seen[flagName(f.path)] = f.path
	}
}

func TestHelp(t *testing.T) {
	at(t, "sluice.yaml", "not: read\n")
	for _, arg := range []string{"-h", "-help", "--help"} {
		var out bytes.Buffer
		if _, _, err := load([]string{arg}, nil, &out); !errors.Is(err, flag.ErrHelp) {
			t.Fatalf("%s: got error %v, want flag.ErrHelp", arg, err)
		}
		c := Default()
		for _, f := range fieldsOf(&c) {
			want := "\n  " + flagName(f.path)
			if !strings.Contains(out.String(), want) {
				t.Errorf("%s does not list %s", arg, flagName(f.path))
			}
		}
		for line := range strings.Lines(out.String()) {
			if len(line) > 100 {
				t.Errorf("%s has a line of %d columns: %s", arg, len(line), line)
			}
			if strings.TrimRight(line, " \n") != strings.TrimRight(line, "\n") {
				t.Errorf("%s has a line that ends in spaces: %q", arg, line)
			}
		}
	}

	var out bytes.Buffer
	Help(&out)
	for _, want := range []string{
		"\nrtmp: Publishers: where encoders connect, and how much each may ask for\n" +
			"  -rtmp-addr \":1935\"\n        RTMP listen address\n",
		"  -rtmp-max-message-size 10MiB\n        Largest RTMP message, 1MiB to 16MiB; a message holds one frame\n",
		"  -http-tls-addr \"\"\n        HTTPS listen address, such as \":8443\"\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("help lacks\n%s\nin\n%s", want, out.String())
		}
	}
}

// Kinds of field that Config has no example of.
func TestOtherKinds(t *testing.T) {
	var c struct {
		Outer struct {
			Inner struct {
				On bool `yaml:"on"`
			} `yaml:"inner"`
		} `yaml:"outer"`
	}
	l := newLoader(fieldsOf(&c))
	l.parseYAML("x.yaml", []byte("outer: {inner: {on: true}}\n"))
	if l.errs != nil || !c.Outer.Inner.On {
		t.Errorf("got %+v, errors %v", c, l.errs)
	}
	l.parseYAML("x.yaml", []byte("outer: {inner: {on: perhaps}}\n"))
	if want := `x.yaml:1: outer.inner.on: "perhaps" is not true or false`; len(l.errs) != 1 || l.errs[0].Error() != want {
		t.Errorf("got %v, want %s", l.errs, want)
	}
	given, err := l.parseFlags([]string{"-outer-inner-on", "rest"})
	if err != nil || len(given.settings) != 1 || given.settings[0].text != "true" || len(given.rest) != 1 {
		t.Errorf("a bool flag needs no value: got %+v, error %v", given, err)
	}
}

func TestSize(t *testing.T) {
	tests := []struct {
		text string
		size Size
		back string // what String gives, if not text
	}{
		{"0", 0, ""},
		{"1", 1, ""},
		{"1025", 1025, ""},
		{"64KiB", 64 * KiB, ""},
		{"16MiB", 16 * MiB, ""},
		{"3GiB", 3 * GiB, ""},
		{"65536", 64 * KiB, "64KiB"},
		{"2048 KiB", 2 * MiB, "2MiB"},
		{"9223372036854775807", 1<<63 - 1, ""},
		{"8589934591GiB", 8589934591 * GiB, ""},
	}
	for _, tt := range tests {
		got, err := ParseSize(tt.text)
		if err != nil || got != tt.size {
			t.Errorf("ParseSize(%q) = %d, %v, want %d", tt.text, got, err, tt.size)
		}
		if tt.back == "" {
			tt.back = tt.text
		}
		if got := tt.size.String(); got != tt.back {
			t.Errorf("Size(%d) is written %s, want %s", tt.size, got, tt.back)
		}
	}
	for _, text := range []string{"", "KiB", "-1", "+1", "1.5MiB", "1MB", "1mib", "0x10", "1 ", "9223372036854775808", "8589934592GiB"} {
		if got, err := ParseSize(text); err == nil {
			t.Errorf("ParseSize(%q) = %d, want an error", text, got)
		}
	}
}

// Whatever is in the file, we neither panic nor complain without naming the file.
func FuzzLoadYAML(f *testing.F) {
	for _, seed := range []string{
		string(Sample), "", "---\n", "a: 1\n---\nb: 2\n", "[a, b]: c\n", "rtmp: &a {addr: *a}\n",
		"&a log: {level: info}\n*a : x\n", "? {}\n: - -\n", "publish:\n  from: [[x]]\n",
		"<<: {log: {level: info}}\n", "window: !!binary x\n", "\xff\xfe", "a:\n\tb",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c := Default()
		l := newLoader(fieldsOf(&c))
		l.parseYAML("fuzz.yaml", data)
		l.judge(c.faults())
		for _, err := range l.errs {
			if !strings.HasPrefix(err.Error(), "fuzz.yaml:") && !strings.HasPrefix(err.Error(), "default: ") {
				t.Errorf("%q does not say where", err)
			}
		}
	})
}
