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

const BUCKETS = [-3, -2, -1, 1, 2, 3];
const STALE = "stale";

export class Colours implements vscode.Disposable {
  private readonly kinds = new Map<string, vscode.TextEditorDecorationType>();
  /** uri -> id of a record -> what it looks like */
  private readonly known = new Map<string, Map<number, DrawnRecord>>();

  constructor() {
    for (const bucket of BUCKETS) {
      const name = `saliscope.${bucket > 0 ? "for" : "against"}${Math.abs(bucket)}`;
      const background = new vscode.ThemeColor(`${name}Background`);
      const look: vscode.DecorationRenderOptions = {
        backgroundColor: background,
        color: new vscode.ThemeColor(`${name}Foreground`),
        borderRadius: "2px",
      };
      if (Math.abs(bucket) === 3) {
        look.overviewRulerColor = background;
        look.overviewRulerLane = vscode.OverviewRulerLane.Right;
      }
      this.kinds.set(String(bucket), vscode.window.createTextEditorDecorationType(look));
    }
    this.kinds.set(STALE, vscode.window.createTextEditorDecorationType({ opacity: "0.6", textDecoration: "underline dotted" }));
  }

  /** Take in what was told; false where the document has another version by now. */
  draw(told: Told): boolean {
    const uri = vscode.Uri.parse(told.uri).toString();
    const document = vscode.workspace.textDocuments.find((one) => one.uri.toString() === uri);
    if (document === undefined) {
      return true;
    }
    if (document.version !== told.version) {
      return false;
    }
    const records = (told.reset ? undefined : this.known.get(uri)) ?? new Map<number, DrawnRecord>();
    told.removed.forEach((id) => records.delete(id));
    told.records.forEach((record) => records.set(record.id, record));
    this.known.set(uri, records);
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
      const move = mover(change);
      for (const record of records.values()) {
        record.tokens = record.tokens.flatMap(move);
      }
    }
  }

  /** Show what is known in all editors of a document. */
  show(document: vscode.TextDocument): void {
    const editors = vscode.window.visibleTextEditors.filter((one) => one.document === document);
    if (editors.length === 0) {
      return;
    }
    const ranges = new Map<string, vscode.Range[]>([...this.kinds.keys()].map((kind) => [kind, []]));
    for (const record of this.known.get(document.uri.toString())?.values() ?? []) {
      for (const [line, column, stop, bucket] of record.tokens) {
        const range = new vscode.Range(line, column, line, stop);
        ranges.get(String(bucket))?.push(range);
        if (record.stale) {
          ranges.get(STALE)?.push(range);
        }
      }
    }
    for (const editor of editors) {
      this.kinds.forEach((kind, name) => editor.setDecorations(kind, ranges.get(name) ?? []));
    }
  }

  forget(document: vscode.TextDocument): void {
    this.known.delete(document.uri.toString());
  }

  /** Nothing is coloured any more: the server has gone. */
  clear(): void {
    this.known.clear();
    vscode.window.visibleTextEditors.forEach((editor) => this.show(editor.document));
  }

  dispose(): void {
    this.kinds.forEach((kind) => kind.dispose());
  }
}

/** What a change makes of a token: itself, the same elsewhere, or nothing. */
function mover(change: vscode.TextDocumentContentChangeEvent): (token: Token) => Token[] {
  const { start, end } = change.range;
  const added = change.text.split(/\r\n|\r|\n/);
  const down = added.length - 1 - (end.line - start.line);
  const last = added[added.length - 1]?.length ?? 0;
  const right = (added.length === 1 ? start.character + last : last) - end.character;
  return (token) => {
    const [line, column, stop, bucket, score, rank] = token;
    if (line < start.line || (line === start.line && stop <= start.character)) {
      return [token];
    }
    if (line > end.line) {
      return [[line + down, column, stop, bucket, score, rank]];
    }
    if (line === end.line && column >= end.character) {
      return [[line + down, column + right, stop + right, bucket, score, rank]];
    }
    return [];
  };
}
