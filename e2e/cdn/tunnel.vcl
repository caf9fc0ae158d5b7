# Varnish in front of sluice's tunnel: encoders that push to rtmpt://HOST come by
# it. With http.forwarded_from: [127.0.0.1/32], rules go by their own address.
#
#   varnishd -a :8000 -f tunnel.vcl
vcl 4.1;

backend sluice {
    .host = "127.0.0.1";
    .port = "8080";
    .first_byte_timeout = 20s;
    .between_bytes_timeout = 20s;
}

sub vcl_recv {
    if (req.method == "POST" && req.url ~ "^/(open|send|idle|close|fcs)/") {
        return (pass);
    }
}
