#!/usr/bin/env bash
# Sees to it that the tests find a browser, a PostgreSQL server, LaTeX and gettext; installs them where it may, else says what to type.
set -euo pipefail

missing=()
command -v chromium >/dev/null || command -v chromium-browser >/dev/null || missing+=(chromium)
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null || missing+=(postgresql)
{ command -v pdflatex && kpsewhich booktabs.sty; } >/dev/null 2>&1 || missing+=(texlive-latex-recommended)
{ command -v xgettext && command -v msgfmt; } >/dev/null || missing+=(gettext)
[ ${#missing[@]} -eq 0 ] && exit 0

line="sudo apt-get update && sudo apt-get install --yes ${missing[*]}"
stop() { echo "The tests need ${missing[*]} from the system's packages. Type: $line" >&2; exit 1; }

command -v apt-get >/dev/null || { echo "The tests need ${missing[*]}; install them with your system's package manager." >&2; exit 1; }
as_root=()
if [ "$(id -u)" -ne 0 ]; then
  sudo --non-interactive true 2>/dev/null || stop
  as_root=(sudo)
fi
echo "Installing ${missing[*]} for the tests ..."
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get update -qq || stop
"${as_root[@]}" apt-get install --yes -qq "${missing[@]}" >/dev/null || stop
