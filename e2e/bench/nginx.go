//go:build linux

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Debian's nginx, as its documentation would have one set it up: a worker, no
// access log, files in memory. The window is like sluice's: 8 segments of 2 s.
var (
	nginxTS    = peer{name: "nginx-ts", command: nginx(rtmpModule, rtmpConfig)}
	nginxBoth  = peer{name: "nginx-ts+dash", command: nginx(rtmpModule, strings.ReplaceAll(rtmpConfig, "#dash ", ""))}
	nginxFiles = peer{name: "nginx-files", files: true, command: nginx("", filesConfig)}
)

const (
	rtmpModule = "load_module /usr/lib/nginx/modules/ngx_rtmp_module.so;\n"

	commonConfig = `
daemon off;
user root;
worker_processes 1;
worker_rlimit_nofile 20000;
pid DIR/pid;
error_log stderr warn;
events { worker_connections 20000; }
`
	rtmpConfig = `
rtmp {
	access_log off;
	server {
		listen RTMP;
		chunk_size 4096;
		application live {
			live on;
			hls on;
			hls_path DIR/hls;
			hls_fragment 2s;
			hls_playlist_length 16s;
			#dash dash on;
			#dash dash_path DIR/dash;
			#dash dash_fragment 2s;
			#dash dash_playlist_length 16s;
		}
	}
}
http {
	access_log off;
	sendfile on;
	tcp_nopush on;
	keepalive_requests 1000000;
	server {
		listen HTTP backlog=4096;
		root DIR;
	}
}
`
	filesConfig = `
http {
	access_log off;
	sendfile on;
	tcp_nopush on;
	keepalive_requests 1000000;
	open_file_cache max=1000 inactive=60s;
	types { application/vnd.apple.mpegurl m3u8; video/iso.segment m4s; }
	server {
		listen FILES backlog=4096;
		root KEPT;
	}
}
`
)

func nginx(modules, config string) func(*bench, string) (*exec.Cmd, error) {
	return func(b *bench, dir string) (*exec.Cmd, error) {
		for _, d := range []string{"hls", "dash"} {
			if err := os.Mkdir(filepath.Join(dir, d), 0o755); err != nil {
				return nil, err
			}
		}
		text := strings.NewReplacer("DIR", dir, "KEPT", b.kept(), "RTMP", b.addr(rtmpPort), "HTTP", b.addr(httpPort), "FILES", b.addr(filesPort)).
			Replace(modules + commonConfig + config)
		path := filepath.Join(dir, "nginx.conf")
		return exec.Command("nginx", "-c", path, "-p", dir, "-e", "stderr"), os.WriteFile(path, []byte(text), 0o644)
	}
}
