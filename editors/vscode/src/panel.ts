// The attribution table in the side bar: every feature of the record at the caret with score, bar and rank.
import { randomBytes } from "node:crypto";

import * as vscode from "vscode";

import type { Explanation, Known, Range } from "./answers";
import type { Seen } from "./here";
import { counted } from "./status";

type Order = "place" | "strength";

export const VIEW = "saliscope.attribution";

export class Panel implements vscode.WebviewViewProvider {
  private view: vscode.WebviewView | undefined;
  private seen: Seen = { known: undefined, summary: undefined };
  private drawn = "";
  private order: Order = "strength";

  resolveWebviewView(view: vscode.WebviewView): void {
    this.view = view;
    view.webview.options = { enableScripts: true, localResourceRoots: [] };
    view.webview.onDidReceiveMessage((message: { row?: number; order?: Order; run?: string }) => {
      if (message.run !== undefined && message.run in OFFERS) {
        void vscode.commands.executeCommand(`saliscope.here.${message.run}`);
      } else if (message.order !== undefined) {
        this.order = message.order;
        this.draw();
      } else if (message.row !== undefined) {
        void this.reveal(message.row);
      }
    });
    view.onDidDispose(() => (this.view = undefined));
    this.drawn = "";
    this.draw();
  }

  show(seen: Seen): void {
    this.seen = seen;
    this.draw();
  }

  /** Somebody asked for this record. */
  explained(known: Known): void {
    this.show({ ...this.seen, known });
  }

  /** Bring it to the front; who types goes on typing. */
  async open(): Promise<void> {
    if (this.view !== undefined) {
      this.view.show(true);
      return;
    }
    await vscode.commands.executeCommand(`${VIEW}.focus`);
    await vscode.commands.executeCommand("workbench.action.focusActiveEditorGroup");
  }

  private draw(): void {
    const body = content(this.seen, this.order);
    if (this.view !== undefined && body !== this.drawn) {
      this.drawn = body;
      this.view.webview.html = page(body);
    }
  }

  /** Select in the text what a row is about. */
  private async reveal(row: number): Promise<void> {
    const { known } = this.seen;
    const place = known?.places[row];
    if (known === undefined || place === undefined || place === null) {
      return;
    }
    const document = await vscode.workspace.openTextDocument(vscode.Uri.parse(known.uri));
    await vscode.window.showTextDocument(document, { selection: ranged(place) });
  }
}

function ranged({ start, end }: Range): vscode.Range {
  return new vscode.Range(start.line, start.character, end.line, end.character);
}

function content(seen: Seen, order: Order): string {
  const { known, summary } = seen;
  if (!known?.explanation) {
    const [why, offers] = reason(seen);
    const buttons = offers.map((name) => `<button data-run="${name}">${escape(OFFERS[name] ?? name)}</button>`);
    return `<p class="quiet">${escape(why)}</p>${buttons.join("")}`;
  }
  const all = summary && summary.records > 1 ? `<p class="quiet">${escape(counted(summary))}</p>` : "";
  return head(known, known.explanation) + table(known, known.explanation, order) + all;
}

/** What a button without a table may do. */
const OFFERS: Record<string, string> = { setModel: "Choose a model…", explain: "Explain it now", settings: "Open the settings" };

/** Why there is no table, and what can be done. */
function reason({ known, summary }: Seen): [string, string[]] {
  if (summary === undefined) {
    return ["The editor in front shows no document that saliscope reads.", []];
  }
  if (summary.problem !== null) {
    return [sentence(summary.problem.message), [summary.problem.code === "no-model" ? "setModel" : "settings"]];
  }
  const found = known?.findings.map((one) => sentence(one.message)).join(" ");
  if (found) {
    return [found, []];
  }
  if (summary.trigger !== "onType" && summary.explained < summary.explainable) {
    const when = summary.trigger === "manual" ? "on command" : "when the document is saved";
    return [`Records are explained ${when}.`, ["explain"]];
  }
  if (known !== undefined) {
    return ["Explaining …", []];
  }
  return [`There is no record at the caret. The document has ${counted(summary)}.`, []];
}

function sentence(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1) + (/[.…!?]$/.test(text) ? "" : ".");
}

function page(body: string): string {
  const nonce = randomBytes(16).toString("hex");
  const policy = `default-src 'none'; style-src 'nonce-${nonce}'; script-src 'nonce-${nonce}'`;
  return `<!DOCTYPE html><html><head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="${policy}">
<style nonce="${nonce}">${STYLE}</style></head><body>${body}<script nonce="${nonce}">${SCRIPT}</script></body></html>`;
}

function head(known: Known, explanation: Explanation): string {
  const { label, probabilities, value } = known.prediction ?? { label: "", probabilities: {}, value: null };
  const share = value ?? probabilities[label];
  const said = share === undefined ? label : `${label} ${share.toFixed(2)}`;
  const told = known.label === null ? "" : ` <span class="quiet">label ${escape(String(known.label))}</span>`;
  const against = explanation.target.against ? ` against ${explanation.target.against}` : "";
  const how = `${explanation.model} · ${explanation.method} · for ${explanation.target.label}${against}`;
  const stale = known.stale ? " · stale" : "";
  return `<h1>${escape(said)}${told}</h1><p class="quiet">${escape(how)}${stale}</p>`;
}

function table(known: Known, explanation: Explanation, order: Order): string {
  const { scores } = explanation;
  const peak = Math.max(...scores.map(Math.abs), Number.MIN_VALUE);
  const strongest = scores.map((_, row) => row).sort((a, b) => Math.abs(scores[b] ?? 0) - Math.abs(scores[a] ?? 0));
  const rank = new Map(strongest.map((row, place) => [row, place + 1]));
  const others = Object.entries(known.compared).filter(([, other]) => other.length === scores.length);
  const rows = (order === "strength" ? strongest : scores.map((_, row) => row)).map((row) => {
    const score = scores[row] ?? 0;
    const side = score < 0 ? "against" : "for";
    const numbers = others.map(([, other]) => `<td class="number">${signed(other[row] ?? 0, explanation.signed)}</td>`);
    // The page allows no style of an element: the width comes from the script.
    const bar = `<td class="bar"><i class="${side}" data-share="${(Math.abs(score) / peak).toFixed(3)}"></i></td>`;
    const word = `<td class="word">${escape(explanation.features[row]?.text.trim() || "␣")}</td>`;
    return `<tr data-row="${row}" tabindex="0">${word}<td class="number">${signed(score, explanation.signed)}</td>
${numbers.join("")}${bar}<td class="number quiet">${rank.get(row)}</td></tr>`;
  });
  const names = others.map(([name]) => `<th>${escape(name)}</th>`).join("");
  const columns = `<th data-order="place">word</th><th data-order="strength">score</th>${names}<th></th><th data-order="strength">rank</th>`;
  return `<table><thead><tr>${columns}</tr></thead><tbody>${rows.join("\n")}</tbody></table>`;
}

function signed(score: number, isSigned: boolean): string {
  const text = Math.abs(score) >= 0.0005 || score === 0 ? score.toFixed(3) : score.toExponential(1);
  return isSigned && score > 0 ? `+${text}` : text.replace("-", "−");
}

function escape(text: string): string {
  return text.replace(/[&<>"']/g, (one) => `&#${one.charCodeAt(0)};`);
}

const STYLE = `
body { padding: 0 12px; color: var(--vscode-foreground); font: var(--vscode-font-size) var(--vscode-font-family); }
h1 { font-size: 1.2em; margin: 10px 0 2px; } p { margin: 0 0 8px; }
.quiet { color: var(--vscode-descriptionForeground); font-weight: normal; }
table { width: 100%; border-collapse: collapse; } td, th { padding: 2px 4px; text-align: left; }
th[data-order] { cursor: pointer; } tr[data-row] { cursor: pointer; }
tr[data-row]:hover, tr[data-row]:focus { background: var(--vscode-list-hoverBackground); outline: none; }
.word { font-family: var(--vscode-editor-font-family); white-space: pre-wrap; overflow-wrap: break-word; }
.number { font-variant-numeric: tabular-nums; text-align: right; } .bar { width: 35%; }
.bar i { display: block; height: 0.8em; border-radius: 2px; }
button { padding: 4px 10px; border: 0; border-radius: 2px; cursor: pointer; font: inherit;
  color: var(--vscode-button-foreground); background: var(--vscode-button-background); }
button:hover { background: var(--vscode-button-hoverBackground); }
.for { background: var(--vscode-saliscope-for3Background); } .against { background: var(--vscode-saliscope-against3Background); }`;

const SCRIPT = `
const code = acquireVsCodeApi();
document.querySelectorAll(".bar i").forEach((bar) => { bar.style.width = 100 * bar.dataset.share + "%"; });
document.querySelectorAll("button").forEach((button) =>
  button.addEventListener("click", () => code.postMessage({ run: button.dataset.run })));
document.querySelectorAll("th[data-order]").forEach((head) =>
  head.addEventListener("click", () => code.postMessage({ order: head.dataset.order })));
document.querySelectorAll("tr[data-row]").forEach((row) => {
  const choose = () => code.postMessage({ row: Number(row.dataset.row) });
  row.addEventListener("click", choose);
  row.addEventListener("keydown", (event) => { if (event.key === "Enter") choose(); });
});`;
