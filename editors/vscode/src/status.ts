// The status bar: how the daemon is, how far the document is explained, and what is predicted of the record at the caret.
import * as vscode from "vscode";

import type { Seen } from "./here";

export interface State {
  state: "idle" | "connecting" | "connected" | "lost" | "failed" | "stopped";
  message: string;
}

const ICONS = { idle: "eye", connecting: "sync~spin", connected: "eye", lost: "sync~spin", failed: "warning", stopped: "circle-slash" };
const WORDS = {
  idle: "",
  connecting: "connecting",
  connected: "",
  lost: "daemon lost",
  failed: "no daemon",
  stopped: "stopped",
};
const PROBLEMS: Record<string, string> = { "no-model": "no model", "no-text": "no text", "too-large": "too large" };

export class Status implements vscode.Disposable {
  private readonly item = vscode.window.createStatusBarItem("saliscope", vscode.StatusBarAlignment.Right);
  private state: State = { state: "connecting", message: "" };
  private seen: Seen = { known: undefined, summary: undefined };

  constructor() {
    this.item.name = "saliscope";
    this.item.command = "saliscope.here.menu";
    this.draw();
  }

  told(state: State): void {
    this.state = state;
    this.draw();
  }

  show(seen: Seen): void {
    this.seen = seen;
    this.draw();
  }

  private draw(): void {
    const { state } = this.state;
    const isWell = state === "connected" || state === "idle";
    if (isWell && this.seen.summary === undefined) {
      // All is well, and the editor in front is none of ours.
      this.item.hide();
      return;
    }
    const [icon, said] = isWell ? this.document() : [ICONS[state], WORDS[state]];
    this.item.text = `$(${icon}) saliscope${said ? `: ${said}` : ""}`;
    this.item.tooltip = this.tooltip();
    const isBad = state === "failed" || state === "stopped";
    this.item.backgroundColor = isBad ? new vscode.ThemeColor("statusBarItem.warningBackground") : undefined;
    this.item.show();
  }

  /** An icon, and what there is to say while the daemon is there, or is not needed. */
  private document(): [string, string] {
    const { known, summary } = this.seen;
    if (summary?.problem) {
      return [summary.problem.code === "no-model" ? "eye-closed" : "warning", PROBLEMS[summary.problem.code] ?? "not explained"];
    }
    const prediction = known?.prediction;
    const differs = prediction && known.label !== null && String(known.label) !== prediction.label;
    const said = prediction ? `${prediction.label}${differs ? " ≠ label" : ""}` : "";
    if (summary !== undefined && summary.trigger === "onType" && summary.explained < summary.explainable) {
      const far = `${summary.explained} of ${summary.explainable}`;
      return ["sync~spin", said ? `${said} · ${far}` : far];
    }
    return ["eye", said];
  }

  private tooltip(): string {
    const { known, summary } = this.seen;
    const { state, message } = this.state;
    const explanation = known?.explanation;
    const lines = [
      `The daemon: ${state}`,
      message,
      summary?.problem?.message ?? "",
      explanation ? `${explanation.model} · ${explanation.method}` : (summary?.model ?? ""),
      summary && summary.records > 0 ? counted(summary) : "",
      "Click for what can be done.",
    ];
    return lines.filter((line) => line !== "").join("\n");
  }

  dispose(): void {
    this.item.dispose();
  }
}

/** How many records a document has, and how many of them are explained and mispredicted. */
export function counted(summary: { explainable: number; explained: number; mispredicted: number }): string {
  const { explainable, explained, mispredicted } = summary;
  const records = `${explainable} record${explainable === 1 ? "" : "s"}`;
  const far = explained < explainable ? `, ${explained} explained` : "";
  return `${records}${far}${mispredicted > 0 ? `, ${mispredicted} mispredicted` : ""}`;
}
