#!/usr/bin/env bash
# usage: packaging/release.sh VERSION [ARCH...]
# Builds what a release has, into dist/: for each architecture a tarball and a Debian package, a list
# of what is in them (SBOM), and checksums. From the same commit come the same binaries and archives.
set -euo pipefail
cd "$(dirname "$0")/.."

version=${1#v}
shift
arches=${*:-amd64 arm64}
nfpm=github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.45.2
sbom=github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.10.0
commit=$(git describe --always --abbrev=40 --match=NONE --dirty)
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH VERSION=$version

rm -rf dist
mkdir -p dist
build() { # GOARCH OUTPUT
	CGO_ENABLED=0 GOOS=linux GOARCH=$1 go build -trimpath -ldflags "-s -X main.release=v$version -X main.commit=$commit" -o "$2" ./cmd/sluice
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
build "$(go env GOARCH)" "$work/native"
mkdir "$work/completion"
for shell in bash zsh fish; do "$work/native" completion $shell >"$work/completion/$shell"; done

for arch in $arches; do
	name=sluice_${version}_linux_$arch
	out=$work/$name
	mkdir "$out"
	build "$arch" "$out/sluice"
	cp -r "$work/completion" README.md CHANGELOG.md LICENSE config/sluice.yaml packaging/systemd "$out"
	ARCH=$arch OUT=$out go run $nfpm package --config packaging/nfpm.yaml --packager deb --target dist/
	tar --sort=name --owner=0 --group=0 --numeric-owner --mtime=@"$SOURCE_DATE_EPOCH" -C "$work" -cf - "$name" | gzip -9n >"dist/$name.tar.gz"
	go run $sbom bin -json -noserial -output "dist/$name.cdx.json" -version "v$version" "$out/sluice" 2>"$work/sbom.log" ||
		{ cat "$work/sbom.log" >&2; exit 1; }
done
cd dist
sha256sum -- * >SHA256SUMS
ls -l
