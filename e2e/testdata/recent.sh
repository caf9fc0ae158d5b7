#!/bin/sh
# Installs a recent Debian with ffmpeg, and OBS Studio where it is wanted, in a folder:
#   recent.sh DIR [MIRROR]
# Needs root and debootstrap, and takes a minute or two. Nothing stays mounted.
set -eu
dir=$1
mirror=${2:-http://deb.debian.org/debian}
command -v debootstrap >/dev/null || { echo "debootstrap is missing: apt-get install debootstrap" >&2; exit 1; }
mkdir -p "$dir"
echo "$dir: Debian sid with ffmpeg, some 450 MB, from $mirror"
timeout -k 5 900 debootstrap --variant=minbase --components=main sid "$dir" "$mirror" >"$dir.log" 2>&1 || { tail "$dir.log" >&2; exit 1; }
cp /etc/resolv.conf "$dir/etc/"
printf '#!/bin/sh\nexit 101\n' >"$dir/usr/sbin/policy-rc.d" # no services
chmod +x "$dir/usr/sbin/policy-rc.d"
export DEBIAN_FRONTEND=noninteractive
timeout -k 5 900 chroot "$dir" apt-get -o APT::Sandbox::User=root install -y -qq --no-install-recommends ffmpeg ${E2E_OBS:+obs-studio obs-plugins xvfb xauth libgl1-mesa-dri} >>"$dir.log" 2>&1 || { tail "$dir.log" >&2; exit 1; }
chroot "$dir" apt-get clean
chroot "$dir" ffmpeg -version | head -n 1
