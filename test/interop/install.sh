#!/usr/bin/env bash
# Installs the foreign clients that test/interop drives. Run it again at will: what is already there, and still
# the wanted version, is left alone.
set -euo pipefail
cd "$(dirname "$0")"
cache=${HOLDFAST_INTEROP_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/holdfast/interop}
mkdir -p "$cache"

# fresh NAME FILE... says whether NAME was last made from just these files.
sum() { cat "$@" | sha256sum | cut -d' ' -f1; }
fresh() { [ "$(cat "$cache/$1.stamp" 2>/dev/null)" = "$(sum "${@:2}")" ]; }
stamp() { sum "${@:2}" >"$cache/$1.stamp"; }

packages=()
command -v kcat >/dev/null || packages+=(kcat)
command -v javac >/dev/null || packages+=(default-jdk-headless)
command -v mvn >/dev/null || packages+=(maven)
command -v npm >/dev/null || packages+=(nodejs npm)
python3 -c 'import ensurepip, venv' 2>/dev/null || packages+=(python3-venv)
command -v cc >/dev/null || packages+=(gcc libc6-dev) # for go test -race
if [ ${#packages[@]} -gt 0 ]; then
  echo "interop: apt installs ${packages[*]}"
  sudo=; [ "$(id -u)" = 0 ] || sudo=sudo
  $sudo apt-get update -q >"$cache/apt.log" 2>&1
  DEBIAN_FRONTEND=noninteractive $sudo apt-get install -q -y --no-install-recommends "${packages[@]}" >>"$cache/apt.log" 2>&1 ||
    { tail -20 "$cache/apt.log"; exit 1; }
fi

# A class path names files in Maven's own folder; where one has gone, Maven is asked again.
jars_exist() { tr ':' '\n' <"$cache/$1/classpath" | while read -r jar; do [ -f "$jar" ] || return 1; done; }
class_path() { mvn -q -B -Dstyle.color=never -f "$1" dependency:build-classpath -Dmdep.outputFile="$cache/$2/classpath" -Dmdep.pathSeparator=:; }
if ! { fresh java java/pom.xml java/*.java && jars_exist java; }; then
  echo "interop: Apache Kafka's jars and the programs beside them"
  rm -rf "$cache/java"
  mkdir -p "$cache/java/classes"
  class_path java/pom.xml java
  javac -Xlint:all -Werror -proc:none -cp "$(cat "$cache/java/classpath")" -d "$cache/java/classes" java/*.java
  stamp java java/pom.xml java/*.java
fi

if ! { fresh streams java/streams/pom.xml && jars_exist streams; }; then
  echo "interop: the jars of Kafka Streams and of its tests"
  rm -rf "$cache/streams"
  mkdir -p "$cache/streams"
  class_path java/streams/pom.xml streams
  stamp streams java/streams/pom.xml
fi

if ! { fresh python python/requirements.txt && "$cache/venv/bin/python" -c 'import confluent_kafka, kafka' 2>/dev/null; }; then
  echo "interop: Python's clients"
  rm -rf "$cache/venv"
  python3 -m venv "$cache/venv"
  "$cache/venv/bin/pip" install -q --disable-pip-version-check -r python/requirements.txt
  stamp python python/requirements.txt
fi

if ! { fresh node node/package.json node/package-lock.json && [ -d "$cache/node/node_modules/kafkajs" ]; }; then
  echo "interop: Node's client"
  rm -rf "$cache/node"
  mkdir -p "$cache/node"
  cp node/package.json node/package-lock.json node/.npmrc "$cache/node/"
  (cd "$cache/node" && npm ci --silent --no-audit --no-fund)
  stamp node node/package.json node/package-lock.json
fi

mkdir -p "$cache/bin"
(cd sarama && CGO_ENABLED=0 go build -o "$cache/bin/sarama" .)
echo "interop: all clients are in place, $cache"
