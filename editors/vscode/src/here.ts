// What is known of the record at the caret: asked when the caret rests or there is news, and told to who shows it.
import * as vscode from "vscode";

import type { Known } from "./answers";
import type { Server } from "./server";

const REST_MS = 100;

export class Here implements vscode.Disposable {
  private timer: NodeJS.Timeout | undefined;
  private asked = 0;
  private readonly heard = new vscode.EventEmitter<Known | undefined>();
  /** The record at the caret; undefined where there is none. */
  readonly onKnown = this.heard.event;

  constructor(private readonly server: () => Server) {}

  /** Ask soon, once for many reasons to. */
  look(): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.ask(), REST_MS);
  }

  private async ask(): Promise<void> {
    const number = ++this.asked;
    const editor = vscode.window.activeTextEditor;
    const server = this.server();
    if (editor === undefined) {
      // A view has the focus; what was shown last stays.
      return;
    }
    if (!server.serves(editor.document)) {
      this.heard.fire(undefined);
      return;
    }
    const { line, character } = editor.selection.active;
    const uri = editor.document.uri.toString();
    try {
      const known = await server.run<Known | null>("record", uri, { line, character });
      if (number === this.asked) {
        this.heard.fire(known ?? undefined);
      }
    } catch (error) {
      // The document is being opened or closed, or the server ends; the next look finds out.
      server.client.debug(`no record: ${String(error)}`);
    }
  }

  dispose(): void {
    clearTimeout(this.timer);
    this.heard.dispose();
  }
}
