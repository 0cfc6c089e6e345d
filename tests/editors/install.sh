#!/usr/bin/env bash
# Editors for `make test-editors`: install.sh DIR, on Debian 12 with Node 20. Takes some minutes and 600 MB, once.
#
# VS Code is code-server (the newest that runs on Node 20), shown by headless Chromium. Its package is installed without
# scripts, since they fetch binaries; what of them is needed follows by hand.
set -euo pipefail
dir=${1:?DIR}
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
if [ -f "$dir/.installed" ]; then exit 0; fi
case "$(node --version 2>/dev/null)" in
v20.*) ;;
*) echo "install.sh: Node 20 is needed, with npm; there is $(node --version 2>/dev/null || echo none)" >&2; exit 1 ;;
esac
as_root=()
if [ "$(id -u)" -ne 0 ]; then as_root=(sudo); fi
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" apt-get install -y -qq --no-install-recommends \
  neovim emacs-nox elpa-eglot tmux chromium ripgrep libkrb5-dev fonts-dejavu-core g++ make python3 >/dev/null

# Modules are built with the headers that come with Node.
npm_config_nodedir=$(dirname "$(dirname "$(readlink -f "$(command -v node)")")")
export npm_config_nodedir
quiet=(--no-audit --no-fund --ignore-scripts)
cd "$dir"
[ -f package.json ] || npm init -y >/dev/null
npm install code-server@4.100.3 playwright-core@1 "${quiet[@]}"
code=$dir/node_modules/code-server/lib/vscode
(cd "$code" && npm install --omit=dev "${quiet[@]}")
(cd "$code/extensions" && npm install --omit=dev "${quiet[@]}")
cd "$code"
# The last step of node-pty fails after its module is built, so that only what is built counts.
for module in node-pty @vscode/spdlog native-watchdog @vscode/deviceid kerberos; do
  npm rebuild "$module" >"$dir/rebuild.log" 2>&1 || true
  if [ -z "$(find "node_modules/$module/build/Release" -name '*.node')" ]; then
    cat "$dir/rebuild.log" >&2
    echo "install.sh: $module is not built" >&2
    exit 1
  fi
done
mkdir -p node_modules/@vscode/ripgrep/bin
ln -sf "$(command -v rg)" node_modules/@vscode/ripgrep/bin/rg
ln -sfn node_modules node_modules.asar
(cd bin/remote-cli && ln -sf code-linux.sh code-server)
(cd bin/helpers && ln -sf browser-linux.sh browser.sh)
(cd "$dir" && npm rebuild argon2 --build-from-source)
touch "$dir/.installed"
