// The status bar: how the daemon is, and what is predicted of the record at the caret.
import * as vscode from "vscode";

import type { Known } from "./answers";

export interface State {
  state: "connecting" | "connected" | "lost" | "failed" | "stopped";
  message: string;
}

const ICONS = { connecting: "sync~spin", connected: "eye", lost: "sync~spin", failed: "warning", stopped: "circle-slash" };

export class Status implements vscode.Disposable {
  private readonly item = vscode.window.createStatusBarItem("saliscope", vscode.StatusBarAlignment.Right);
  private state: State = { state: "connecting", message: "" };
  private known: Known | undefined;

  constructor() {
    this.item.name = "saliscope";
    this.item.command = "saliscope.here.status";
    this.draw();
    this.item.show();
  }

  told(state: State): void {
    this.state = state;
    this.draw();
  }

  show(known: Known | undefined): void {
    this.known = known;
    this.draw();
  }

  private draw(): void {
    const { state, message } = this.state;
    const prediction = state === "connected" ? this.known?.prediction : undefined;
    const label = this.known?.label;
    const differs = prediction && label !== null && label !== undefined && String(label) !== prediction.label;
    const said = prediction?.label ?? (state === "connected" ? "" : state);
    this.item.text = `$(${ICONS[state]}) saliscope${said ? `: ${said}` : ""}${differs ? " ≠ label" : ""}`;
    const how = this.known?.explanation ? `${this.known.explanation.model} · ${this.known.explanation.method}` : "";
    this.item.tooltip = [`The daemon: ${state}`, message, how].filter((line) => line !== "").join("\n");
  }

  dispose(): void {
    this.item.dispose();
  }
}
