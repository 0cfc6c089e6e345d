// What is known of the record at the caret and of its document: asked when the caret rests or there is news.
import * as vscode from "vscode";

import type { Known, Summary } from "./answers";
import type { Server } from "./server";

const REST_MS = 100;

/** What the reader looks at; `summary` is undefined where the document is none of ours. */
export interface Seen {
  known: Known | undefined;
  summary: Summary | undefined;
}

export class Here implements vscode.Disposable {
  private timer: NodeJS.Timeout | undefined;
  private asked = 0;
  private isNew = true;
  private summary: Summary | undefined;
  private readonly heard = new vscode.EventEmitter<Seen>();
  readonly onSeen = this.heard.event;

  constructor(private readonly server: () => Server) {}

  /** Ask soon, once for many reasons to; with `isNew` also how far the document is. */
  look(isNew: boolean): void {
    this.isNew ||= isNew;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.ask(), REST_MS);
  }

  private async ask(): Promise<void> {
    const number = ++this.asked;
    const editor = vscode.window.activeTextEditor;
    const server = this.server();
    if (editor === undefined && vscode.window.visibleTextEditors.length > 0) {
      // A view has the focus; what was shown last stays.
      return;
    }
    if (editor === undefined || !server.serves(editor.document)) {
      this.tell(undefined, undefined);
      return;
    }
    const { line, character } = editor.selection.active;
    const uri = editor.document.uri.toString();
    try {
      const isNew = this.isNew || this.summary?.uri !== uri;
      this.isNew = false;
      const [known, summary] = await Promise.all([
        server.run<Known | null>("record", uri, { line, character }),
        isNew ? server.run<Summary | null>("document", uri) : this.summary,
      ]);
      if (number === this.asked) {
        this.tell(known ?? undefined, summary ?? undefined);
      } else {
        this.isNew ||= isNew;
      }
    } catch (error) {
      // The document is being opened or closed, or the server ends; the next look finds out.
      this.isNew = true;
      server.log.appendLine(`no record: ${String(error)}`);
    }
  }

  private tell(known: Known | undefined, summary: Summary | undefined): void {
    this.summary = summary;
    this.heard.fire({ known, summary });
  }

  dispose(): void {
    clearTimeout(this.timer);
    this.heard.dispose();
  }
}
