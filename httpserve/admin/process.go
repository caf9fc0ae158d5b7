package admin

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
)

// aboutProcess are the lines on the program itself.
func (s *Server) aboutProcess() []operation {
	const plain = "text/plain"
	open := func(o operation) operation { o.open = true; return o }
	return []operation{
		on("GET", "/api/v1/server", "getServer", "Server", "What the server is, and all streams in a few numbers", s.about),
		on("GET", "/api/v1/config", "getConfig", "Server", "The configuration in force", s.settings),
		on("POST", "/api/v1/reload", "reload", "Server", "Read the configuration again, as SIGHUP does", s.reload, http.StatusConflict),
		on("GET", "/api/v1/drain", "getDrain", "Server", "Whether the server is drained", s.drained),
		on("PUT", "/api/v1/drain", "drain", "Server", "Drain the server: it is not ready, lets no more publishers in, and asks encoders that understand it to reconnect; others go on", s.drain),
		on("DELETE", "/api/v1/drain", "undrain", "Server", "Let publishers in again", s.undrain),
		on("GET", "/api/v1/log/level", "getLogLevel", "Server", "How much is logged", s.logLevel),
		on("PUT", "/api/v1/log/level", "setLogLevel", "Server", "Log more or less, until the server ends", s.setLogLevel),
		text("/metrics", "metrics", "Server", "What Prometheus reads", plain, s.Metrics.Handler().ServeHTTP),
		open(text("/healthz", "healthz", "Server", "Whether the server lives; needs no token", plain, s.healthz)),
		open(text("/readyz", "readyz", "Server", "Whether it takes publishers: not while it stops, or is drained; needs no token", plain, s.readyz, "503")),
	}
}

type settingList struct {
	Settings []Setting `json:"settings" doc:"All there are, as sluice.yaml has them."`
}

func (s *Server) settings(context.Context, *none) (*output[settingList], error) {
	return &output[settingList]{settingList{append([]Setting{}, s.House.Settings()...)}}, nil
}

func (s *Server) reload(ctx context.Context, _ *none) (*none, error) {
	if err := s.House.Reload(ctx); err != nil {
		return nil, huma.Error409Conflict(err.Error())
	}
	return &none{}, nil
}

type drainState struct {
	Draining bool `json:"draining"`
}

func (s *Server) drained(context.Context, *none) (*output[drainState], error) {
	return &output[drainState]{drainState{s.House.Draining()}}, nil
}

type drainWish struct {
	To string `query:"to" maxLength:"1024" pattern:"^(rtmps?://.+)?$" example:"rtmp://other.example/live" doc:"Where encoders are asked to go, as rtmp://HOST/APP; empty: where they came, for a balancer that knows who is ready."`
}

func (s *Server) drain(ctx context.Context, w *drainWish) (*output[drainState], error) {
	s.House.Drain(w.To)
	return s.drained(ctx, nil)
}

func (s *Server) undrain(ctx context.Context, _ *none) (*output[drainState], error) {
	s.House.Undrain()
	return s.drained(ctx, nil)
}

type level struct {
	Level string `json:"level" query:"level" enum:"debug,info,warn,error" required:"true"`
}

func (s *Server) logLevel(context.Context, *none) (*output[level], error) {
	return &output[level]{level{s.House.LogLevel()}}, nil
}

func (s *Server) setLogLevel(ctx context.Context, l *level) (*output[level], error) {
	s.House.SetLogLevel(l.Level)
	return s.logLevel(ctx, nil)
}
