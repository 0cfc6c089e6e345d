// Scores as backgrounds: each record's ranges as the server told them, moved along with the edits since.
import * as vscode from "vscode";

/** `[line, column, end column, bucket -3..3, score, rank]` */
type Token = [number, number, number, number, number, number];

interface DrawnRecord {
  id: number;
  stale: boolean;
  tokens: Token[];
}

export interface Told {
  uri: string;
  version: number;
  reset: boolean;
  records: DrawnRecord[];
  removed: number[];
}

const INKS: Record<string, { light: [string, string]; dark: [string, string] }> = {
  "-3": { light: ["#b85000", "#ffffff"], dark: ["#ffad61", "#0a121b"] },
  "-2": { light: ["#f6b26b", "#0a121b"], dark: ["#a0500f", "#ffffff"] },
  "-1": { light: ["#fde6cf", "#0a121b"], dark: ["#46290f", "#f6e4d2"] },
  "1": { light: ["#d8e8f8", "#0a121b"], dark: ["#15324e", "#dcebfa"] },
  "2": { light: ["#90bfec", "#0a121b"], dark: ["#1f62a4", "#ffffff"] },
  "3": { light: ["#1c66ac", "#ffffff"], dark: ["#74bcff", "#0a121b"] },
};
const STRONG = "3";

export class Colours implements vscode.Disposable {
  private readonly kinds = new Map<string, vscode.TextEditorDecorationType>();
  /** uri -> id of a record -> what it looks like */
  private readonly known = new Map<string, Map<number, DrawnRecord>>();

  constructor() {
    for (const [bucket, ink] of Object.entries(INKS)) {
      const shade = (colours: [string, string]) => ({ backgroundColor: colours[0], color: colours[1] });
      this.kinds.set(
        bucket,
        vscode.window.createTextEditorDecorationType({
          light: shade(ink.light),
          dark: shade(ink.dark),
          overviewRulerColor: bucket.endsWith(STRONG) ? ink.dark[0] : undefined,
          overviewRulerLane: vscode.OverviewRulerLane.Right,
        }),
      );
    }
    this.kinds.set("stale", vscode.window.createTextEditorDecorationType({ textDecoration: "underline dotted" }));
  }

  /** Take in what was told; false where the document has another version by now. */
  draw(told: Told): boolean {
    const document = vscode.workspace.textDocuments.find((one) => same(one.uri, told.uri));
    if (document === undefined) {
      return true;
    }
    if (document.version !== told.version) {
      return false;
    }
    const key = document.uri.toString();
    const records = told.reset ? new Map<number, DrawnRecord>() : this.known.get(key) ?? new Map<number, DrawnRecord>();
    told.removed.forEach((id) => records.delete(id));
    told.records.forEach((record) => records.set(record.id, record));
    this.known.set(key, records);
    this.show(document);
    return true;
  }

  /** Move what is known along with an edit; what it touches waits for the server. */
  edited(event: vscode.TextDocumentChangeEvent): void {
    const records = this.known.get(event.document.uri.toString());
    if (records === undefined) {
      return;
    }
    for (const change of event.contentChanges) {
      const { start, end } = change.range;
      const added = change.text.split(/\r\n|\r|\n/);
      const down = added.length - 1 - (end.line - start.line);
      const last = added[added.length - 1].length;
      const right = (added.length === 1 ? start.character + last : last) - end.character;
      for (const record of records.values()) {
        record.tokens = record.tokens.flatMap((token) => {
          const [line, column, stop, ...rest] = token;
          if (line < start.line || (line === start.line && stop <= start.character)) {
            return [token];
          }
          if (line > end.line) {
            return [[line + down, column, stop, ...rest] as Token];
          }
          if (line === end.line && column >= end.character) {
            return [[line + down, column + right, stop + right, ...rest] as Token];
          }
          return [];
        });
      }
    }
  }

  /** Show what is known in all editors of a document. */
  show(document: vscode.TextDocument): void {
    const records = this.known.get(document.uri.toString());
    const ranges = new Map<string, vscode.Range[]>([...this.kinds.keys()].map((kind) => [kind, []]));
    for (const record of records?.values() ?? []) {
      for (const [line, column, stop, bucket] of record.tokens) {
        ranges.get(record.stale ? "stale" : String(bucket))?.push(new vscode.Range(line, column, line, stop));
      }
    }
    for (const editor of vscode.window.visibleTextEditors.filter((one) => one.document === document)) {
      this.kinds.forEach((kind, name) => editor.setDecorations(kind, ranges.get(name) ?? []));
    }
  }

  forget(document: vscode.TextDocument): void {
    this.known.delete(document.uri.toString());
  }

  dispose(): void {
    this.kinds.forEach((kind) => kind.dispose());
  }
}

function same(uri: vscode.Uri, text: string): boolean {
  return uri.toString() === vscode.Uri.parse(text).toString();
}
