# The two that a newcomer needs are run (or demo) and test.

GO          ?= go
STATICCHECK  = honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOVULNCHECK  = golang.org/x/vuln/cmd/govulncheck@v1.9.0
FUZZTIME    ?= 15s
SOAK        ?= 1h
SOAKFLAGS   ?=
BENCHFLAGS  ?=
VULNFLAGS   ?=
FLAGS       ?=
SEEDS       ?= 1000
RECENT      ?= $(HOME)/.cache/sluice-recent
VERSION     ?= $(or $(shell git describe --tags --match='v[0-9]*' 2>/dev/null),0.0.0)
COMMIT      ?= $(shell git describe --always --abbrev=40 --match=NONE --dirty 2>/dev/null)

# Debian's packages that the end-to-end tests use, each by a command it brings.
TOOLS = ffmpeg:ffmpeg chromium:chromium xmllint:libxml2-utils gst-launch-1.0:gstreamer1.0-tools \
        varnishd:varnish nginx:nginx-light caddy:caddy curl:curl openssl:openssl mpv:mpv WebKitWebDriver:webkit2gtk-driver xvfb-run:xvfb xauth:xauth rtmpdump:rtmpdump zsh:zsh fish:fish
GSTREAMER = gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad gstreamer1.0-plugins-ugly

.PHONY: help run demo build web test test-players test-dashboard test-abr test-play play-load test-encoders check unit vuln simulate fuzz soak attack e2e latency bench-latency bench bench-peers promtool release test-package deps clean

help: ## list the targets
	@grep -E '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

run: build ## build and start the server (FLAGS="-http-addr :8000" passes flags)
	bin/sluice serve $(FLAGS)

demo: build ## build, start, and publish a built-in clip: see a picture with no other tool
	bin/sluice demo $(FLAGS)

# Where the Go that is here is older than go.mod asks for, go builds with it in
# silence under GOTOOLCHAIN=local, and with it come holes that are known.
build: web ## build bin/sluice, by the Go that go.mod asks for: it is fetched where it is not here
	@want=$$(sed -n 's/^toolchain //p' go.mod); have=$$(GOTOOLCHAIN=local $(GO) env GOVERSION); \
	if [ "$$(printf '%s\n' "$${have#go}" "$${want#go}" | sort -V | tail -n 1)" != "$${have#go}" ]; then \
	  if why=$$(GOTOOLCHAIN=$$want $(GO) version 2>&1 >/dev/null); then export GOTOOLCHAIN=$$want; \
	  else export GOTOOLCHAIN=local; echo "$$why" | tail -n 1 >&2; for line in \
	    "###" "### $$want CAN'T BE FETCHED. This is built with $$have, in which holes are known, in HTTP/2 among others:" \
	    "### not for the internet. Install $$want, or build where it can be fetched." "###"; do echo "$$line" >&2; done; fi; fi; \
	set -x; $(GO) build -trimpath -ldflags "-X main.commit=$(COMMIT)" -o bin/sluice ./cmd/sluice

web: web/dist/hls.min.js ## fetch the player libraries that the page has built in (needs Node)

web/dist/hls.min.js: web/package.json web/package-lock.json web/build.mjs
	@if command -v npm >/dev/null; then cd web && npm ci --no-progress && npm run --silent build && touch dist/hls.min.js; \
	else echo "web: no npm here: the player page will say so and play natively (install Node 20 to have hls.js and dash.js)"; fi

test: FUZZTIME = 3s
test: deps check fuzz e2e ## everything that CI runs (fuzz targets for 3s each); installs from Debian what it needs, where it may

check: web ## gofmt, vet, staticcheck, govulncheck, and all tests but the end-to-end ones, under the race detector
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { echo "gofmt would change:"; gofmt -l $$(git ls-files '*.go'); exit 1; }
	$(GO) vet ./...
	$(GO) run $(STATICCHECK) ./...
	@$(MAKE) --no-print-directory vuln
	$(MAKE) --no-print-directory unit

vuln: ## known vulnerabilities in what the program uses; left out, and says so, where their database can't be reached (VULNFLAGS="-db file:///DIR")
	@if out=$$($(GO) run $(GOVULNCHECK) $(VULNFLAGS) ./... 2>&1); then echo "$$out" | tail -n 1; else \
	case "$$out" in *"fetching vulnerabilities:"*) \
	  echo "vuln: LEFT OUT, nothing was looked at: the database can't be reached from here: $${out##*fetching vulnerabilities: }" | head -n 1;; \
	*) echo "$$out"; exit 1;; esac; fi

# What the race detector makes slow, or whose figures say nothing under it: with it these run
# shorter or not at all, and as a whole without. In those ALONE nothing happens at once, and it has nothing to see.
WHOLE = Simulation|Faults|F21|F28|F33Flapping|F35Health|F36|F37
ALONE = F31TracksFallSilent|F31Contract|S1NoScraps|S1PartsAtEveryFrameRate|PicturesComeAndGo|PictureJoins|PathAllocations|EveryNumberIsTold|ImportLaw|DocsNames|DocsLinks

unit: ## the tests but the end-to-end ones, under the race detector; simulation, sieges and long tables as a whole without it
	@echo "unit: left out, as they take minutes: make attack (sieges by thousands of peers), make simulate (a thousand seeds), make soak"
	$(GO) test -race -skip '^Test($(ALONE))$$' $$($(GO) list ./... | grep -v /e2e)
	$(GO) test -run '^Test($(WHOLE)|($(ALONE))$$)' ./cmd/sluice
	$(GO) test -run '^Test($(ALONE)|F10ClockDrift)$$' ./packager/... ./remux

simulate: ## the server in fake time, with one encoder and with several, a virtual hour of faults for each of SEEDS (1000) seeds: takes about an hour on two cores
	SIMULATE_SEEDS=$(SEEDS) $(GO) test -count=1 -timeout 120m -run '^TestSimulation' ./cmd/sluice

# Go's fuzzer sometimes ends a good run with "context deadline exceeded", when
# its time is up while it shortens an input: only then a target runs again.
fuzz: ## each fuzz target for FUZZTIME (15s, so that all of them take 10 minutes; 30m is a night)
	@set -e; dir=$$(mktemp -d); trap 'rm -rf "$$dir"' EXIT; cache=$$($(GO) env GOCACHE)/fuzz; \
	for pkg in $$(grep -rl --include='*_test.go' '^func Fuzz' . | xargs -n 1 dirname | sort -u); do \
	  $(GO) test -c -fuzz . -o "$$dir/fuzz" "$$pkg"; \
	  for target in $$("$$dir/fuzz" -test.list '^Fuzz'); do \
	    echo "fuzz $$pkg $$target"; \
	    for try in 1 2 3; do \
	      if out=$$(cd "$$pkg" && "$$dir/fuzz" -test.run '^$$' -test.fuzz "^$$target\$$" -test.fuzztime $(FUZZTIME) \
	        -test.fuzzminimizetime 20x -test.fuzzcachedir "$$cache/$$pkg" 2>&1); then echo "$$out" | tail -n 2; continue 2; fi; \
	      echo "$$out"; \
	      case "$$out" in *"Failing input"*) exit 1;; *"context deadline exceeded"*) ;; *) exit 1;; esac; \
	    done; exit 1; \
	  done; \
	done

soak: build ## publishers that are cut, viewers and hostile peers for SOAK (1h), and a report (SOAKFLAGS="-publishers 5 -ll 50")
	$(GO) build -o bin/soak ./e2e/soak
	bin/soak -server bin/sluice -for $(SOAK) $(SOAKFLAGS)

attack: ## thousands of idle connections, of publishers and viewers at once, encoders that come back all at once or again and again, bodies that never come, floods of nothing, no descriptors, no memory: with figures
	SLUICE_ATTACK=1 $(GO) test -count=1 -v -timeout 10m -run '^Test(F19|F20|F21|F26|F27|F28|F33|F34|F35|F36|F37)' ./cmd/sluice/... ./ingest ./httpserve | grep -v '^=== '

e2e: web ## real encoders in, real players out
	@echo "e2e: left out, as they want a machine to themselves: OBS (E2E_OBS=1), make test-players, make test-dashboard, make test-abr, make test-play, make play-load, make test-encoders, make latency, make bench-latency; make promtool, as it needs Prometheus; make test-package, as it needs root"
	$(GO) test -count=1 -timeout 20m ./e2e/...

test-players: web ## each player through seeks, pauses, restarts, other pictures, silence, the end, and WebKitGTK; our pages in all states, themes and sizes, with screenshots: takes 16 minutes
	E2E_PLAYERS=1 $(GO) test -count=1 -v -parallel 2 -timeout 60m -run '^Test(Players|PageSights|PageAway|WebKit|KeepsPace|VideoJS|EndsInMidGOP)$$' ./e2e/ | grep -v '^=== '

test-dashboard: web ## the dashboard in all states, on a desk and on a phone, light and dark, judged by axe-core, with screenshots in e2e/artifacts: takes two minutes
	E2E_DASHBOARD=1 $(GO) test -count=1 -v -timeout 10m -run '^TestDashboard' ./e2e/ | grep -v '^=== '

test-abr: web ## each player, in Chromium and Firefox, up and down through the qualities of a stream, by its API and on a narrow way, with one that is lost and one that joins: takes 50 minutes
	@command -v firefox-esr >/dev/null || { echo "test-abr: missing: sudo apt-get install --no-install-recommends firefox-esr"; exit 1; }
	E2E_ABR=1 $(GO) test -count=1 -v -parallel 4 -timeout 90m -run '^Test(Adaptive|LostQuality|PushedQualities|PushComesAndGoes)$$' ./e2e/ | grep -v '^=== '

play-load: web ## 500 readers of RTMP, and one that takes next to nothing, beside 500 viewers by HTTP: a minute, on a machine that does nothing else
	E2E_PLAYLOAD=1 $(GO) test -count=1 -v -timeout 5m -run '^TestPlayLoad$$' ./e2e/ | grep -v '^=== '

test-play: web ## mpv, VLC, GStreamer and ffmpeg play by RTMP through an encoder that is lost and comes back, and a push target is away for a minute: three minutes
	E2E_PLAY=1 $(GO) test -count=1 -v -timeout 8m -run '^Test(PlayPrograms|RelayLong)$$' ./e2e/ | grep -v '^=== '

test-encoders: web ## a recent ffmpeg publishes each codec, and each browser plays it: installs Debian sid in RECENT (~/.cache/sluice-recent, 450 MB; needs root), takes 15 minutes (E2E_OBS=1 adds OBS Studio, 1.2 GB)
	@test -x $(RECENT)/usr/bin/ffmpeg || e2e/testdata/recent.sh $(RECENT)
	@command -v firefox-esr >/dev/null || { echo "test-encoders: missing: sudo apt-get install --no-install-recommends firefox-esr"; exit 1; }
	E2E_ENCODERS=$(RECENT) $(GO) test -count=1 -v -timeout 60m -run '^Test(RecentEncoder|RecentQualities|RecentOBS|CodecTable)$$' ./e2e/ | grep -v '^=== '

latency: web ## hls.js, dash.js and Shaka near live for a minute each, on a machine that does nothing else
	E2E_LATENCY=1 $(GO) test -count=1 -v -timeout 30m -run LowLatency ./e2e/

bench-latency: ## from a frame's sending to its last byte at the viewer, for each way to watch
	E2E_BENCH=1 $(GO) test -count=1 -timeout 20m -run BenchLatency ./e2e/ -v | grep -v '^=== \|^ *---'

bench: ## what a stream costs, next to the same work done by another library
	$(GO) test -run '^$$' -bench . -benchmem $$($(GO) list ./... | grep -v /e2e)

bench-peers: build ## beside nginx-rtmp and floors, on two quiet cores (BENCHFLAGS="-rows ingest-light -for 5s"): takes two hours
	@command -v gcc >/dev/null && test -e /usr/lib/nginx/modules/ngx_rtmp_module.so || \
	{ echo "bench-peers: missing: sudo apt-get install --no-install-recommends gcc libc6-dev nginx-light libnginx-mod-rtmp"; exit 1; }
	$(GO) build -o bin/bench ./e2e/bench
	bin/bench run -sluice sluice=bin/sluice -json bin/bench.json $(BENCHFLAGS)

promtool: ## Prometheus' own tool checks the alert rules and the names of the metrics (apt-get install prometheus)
	@command -v promtool >/dev/null || { echo "promtool: missing: sudo apt-get install --no-install-recommends prometheus"; exit 1; }
	promtool check rules packaging/prometheus/alerts.yml
	promtool check config --syntax-only packaging/prometheus/prometheus.yml
	PROMTOOL=1 $(GO) test -count=1 -run '^TestPromtool$$' ./ingest/metrics

release: web ## binaries, tarballs and Debian packages for amd64 and arm64, SBOMs and checksums, in dist/ (VERSION=1.2.3; else the newest tag's)
	packaging/release.sh $(VERSION)

test-package: web ## the Debian package is installed, started, upgraded, removed and purged in a clean Debian (needs root and debootstrap): takes 3 minutes
	@command -v debootstrap >/dev/null || { echo "test-package: missing: sudo apt-get install --no-install-recommends debootstrap"; exit 1; }
	packaging/test.sh

deps: ## install what the end-to-end tests need, or say what is missing
	@missing=""; for t in $(TOOLS); do command -v $${t%%:*} >/dev/null || missing="$$missing $${t##*:}"; done; \
	if [ -z "$$missing" ]; then for e in flvmux rtmp2sink x264enc voaacenc; do \
	  gst-inspect-1.0 $$e >/dev/null 2>&1 || missing="$(GSTREAMER)"; done; fi; \
	test -e /usr/lib/nginx/modules/ngx_rtmp_module.so || missing="$$missing libnginx-mod-rtmp"; \
	command -v npm >/dev/null || { echo "deps: npm is missing: install Node 20"; exit 1; }; \
	if [ -z "$$missing" ]; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  echo "deps: installing$$missing $(GSTREAMER)"; \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing $(GSTREAMER) >/dev/null; \
	else echo "deps: missing:$$missing"; echo "  sudo apt-get install --no-install-recommends$$missing $(GSTREAMER)"; exit 1; fi

clean: ## remove what was built
	rm -rf bin dist web/node_modules e2e/artifacts
	find web/dist -type f ! -name README -delete
