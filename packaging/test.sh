#!/usr/bin/env bash
# usage: packaging/test.sh
# Installs the Debian package in a clean Debian, starts what it has brought, upgrades it, removes it and
# purges it. Needs root, debootstrap, and a Debian mirror (MIRROR).
set -euo pipefail
cd "$(dirname "$0")/.."
mirror=${MIRROR:-$(cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null | grep -oE 'https?://[^ ]+/debian/?( |$)' | head -n 1 || true)}
root=$(mktemp -d)
chmod 755 "$root" # it is "/" in there, for the user of the service, too
arch=$(go env GOARCH)
server=
finish() {
	if [ -n "$server" ]; then kill "$server" 2>/dev/null || true; fi
	umount "$root/proc" "$root/sys" 2>/dev/null || true # debootstrap may have left them
	rm -rf --one-file-system "$root"
}
trap finish EXIT
say() { echo "test-package: $*"; }
within() { chroot "$root" env LC_ALL=C DEBIAN_FRONTEND=noninteractive PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"; }
want() { # WHAT COMMAND…
	local what=$1
	shift
	"$@" || { echo "test-package: not so: $what" >&2; exit 1; }
}

debootstrap --variant=minbase --include=systemd,passwd bookworm "$root" "${mirror:-http://deb.debian.org/debian}" >"$root.log" 2>&1 || { tail "$root.log"; exit 1; }
rm "$root.log"
for version in 0.0.1 0.0.2; do
	packaging/release.sh $version "$arch" >/dev/null
	cp "dist/sluice_${version}_$arch.deb" "$root/"
done

say "install"
within dpkg -i "/sluice_0.0.1_$arch.deb" >/dev/null
want "there is a user" within getent passwd sluice >/dev/null
want "the configuration is for that user alone" test "$(within stat -c '%U %G %a' /etc/sluice/sluice.yaml)" = "root sluice 640"
want "it is of that version" grep -q 'sluice v0.0.1, ' <<<"$(within sluice version)"
want "the unit is sound" within systemd-analyze verify /usr/lib/systemd/system/sluice.service /usr/lib/systemd/system/sluice-rtmp.socket \
	/usr/lib/systemd/system/sluice-rtmps.socket /usr/lib/systemd/system/sluice-http.socket /usr/lib/systemd/system/sluice-https.socket
want "the configuration is good" within env SLUICE_CONFIG=/etc/sluice/sluice.yaml setpriv --reuid=sluice --regid=sluice --clear-groups sluice check >/dev/null

say "start, as the user of the unit"
begin() {
	# No function, so that the process is the server itself in the end.
	chroot "$root" env SLUICE_CONFIG=/etc/sluice/sluice.yaml setpriv --reuid=sluice --regid=sluice --clear-groups \
		/usr/bin/sluice serve -rtmp-addr 127.0.0.1:21935 -http-addr 127.0.0.1:28080 -admin-addr 127.0.0.1:29090 2>"$root/log" &
	server=$!
	for try in $(seq 301); do
		if exec 3<>/dev/tcp/127.0.0.1/29090; then break; fi 2>/dev/null
		if [ "$try" = 301 ]; then cat "$root/log" >&2; want "it starts within 30 s" false; fi
		sleep 0.1
	done
	printf 'GET /readyz HTTP/1.0\r\n\r\n' >&3
	want "it is ready" grep -q '^ok' <&3
	exec 3>&-
}
end() {
	kill "$server"
	want "it ends well" wait "$server"
	server=
}
begin
end

say "upgrade"
echo "window: {segments: 9}" >>"$root/etc/sluice/sluice.yaml"
within dpkg -i "/sluice_0.0.2_$arch.deb" >/dev/null 2>&1
want "it is of the next version" grep -q 'sluice v0.0.2, ' <<<"$(within sluice version)"
want "what was configured stays" grep -q 'segments: 9' "$root/etc/sluice/sluice.yaml"
begin
end

say "remove"
within dpkg -r sluice >/dev/null
want "the program is gone" test ! -e "$root/usr/bin/sluice"
want "the unit is gone" test ! -e "$root/usr/lib/systemd/system/sluice.service"
want "the configuration stays" test -e "$root/etc/sluice/sluice.yaml"

say "purge"
mkdir -p "$root/var/lib/sluice/acme"
within dpkg -P sluice >/dev/null
want "the configuration is gone" test ! -e "$root/etc/sluice"
want "the certificates are gone" test ! -e "$root/var/lib/sluice"
want "nothing of it is left" test -z "$(within find /etc /usr /var -xdev -name '*sluice*')"
want "the user is gone" test -z "$(within getent passwd sluice)"
say "ok"
