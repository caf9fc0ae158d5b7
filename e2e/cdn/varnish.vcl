# Varnish in front of sluice, low latency included: viewers who wait for the
# same part are one request to the origin, and a segment in production is
# passed on while it grows.
#
#   varnishd -a :8000 -f varnish.vcl -s malloc,1g
vcl 4.1;

import std;

backend sluice {
    .host = "127.0.0.1";
    .port = "8080";
    # A playlist or part that isn't there yet is held for up to 7 s.
    .first_byte_timeout = 20s;
    .between_bytes_timeout = 20s;
}

sub vcl_recv {
    # Whose request it is, and no claim of the viewer's: with http.forwarded_from.
    unset req.http.Forwarded;
    set req.http.X-Forwarded-For = client.ip;
    if (req.method != "GET" && req.method != "HEAD" && req.method != "OPTIONS") {
        return (synth(405));
    }
    if (req.method == "OPTIONS" || req.url ~ "^/time") {
        return (pass);
    }
    # Players' own parameters (CMCD, tokens that the cache has checked) don't
    # change an answer: only _HLS_ ones do.
    if (req.url ~ "_HLS_") {
        set req.url = std.querysort(regsuball(req.url, "([?&])(?!_HLS_)[^&?]*=[^&]*", "\1"));
    } else {
        set req.url = regsub(req.url, "\?.*$", "");
    }
    unset req.http.Cookie;
    return (hash);
}

sub vcl_backend_response {
    # Whoever asks later gets what has come so far, and the rest as it comes.
    set beresp.do_stream = true;
    # A playlist that is out of date is of no use.
    set beresp.grace = 0s;
    if (beresp.status == 400 || beresp.status == 401 || beresp.status == 403) {
        # It is about whoever asked, and nobody else.
        set beresp.ttl = 0s;
        set beresp.uncacheable = true;
    } elsif (beresp.status >= 400) {
        # Not stored by the origin's word; but not one by one either.
        set beresp.ttl = 1s;
        set beresp.uncacheable = false;
    }
}

sub vcl_deliver {
    # Players take an Age for the time that media lay in a cache, and ask for
    # what they think they missed: a blocked playlist is never old.
    if (req.url ~ "_HLS_msn") {
        unset resp.http.Age;
    }
    if (obj.hits > 0) {
        set resp.http.X-Cache = "HIT";
    } else {
        set resp.http.X-Cache = "MISS";
    }
}
