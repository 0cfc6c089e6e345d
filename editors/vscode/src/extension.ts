// saliscope in VS Code: starts the language server, draws its scores, and gives its commands a place.
import * as vscode from "vscode";
import { LanguageClient, State } from "vscode-languageclient/node";
import type { ClientCapabilities, LanguageClientOptions, ServerOptions, StaticFeature } from "vscode-languageclient/node";

import { Colours, type Told } from "./colours";

const LANGUAGES = ["plaintext", "markdown", "json", "jsonl", "csv", "tsv", "yaml", "prompt"];
const SCHEMES = ["file", "untitled", "vscode-notebook-cell"];
const AGAIN_MS = 200;

let client: LanguageClient | undefined;

/** Says that this client draws, and shows how the daemon is. */
const asks: StaticFeature = {
  fillClientCapabilities(capabilities: ClientCapabilities): void {
    const experimental = (capabilities.experimental ?? {}) as Record<string, unknown>;
    capabilities.experimental = { ...experimental, saliscope: { decorations: true, status: true } };
  },
  initialize: () => undefined,
  getState: () => ({ kind: "static" }),
  clear: () => undefined,
};

export async function activate(context: vscode.ExtensionContext): Promise<void> {
  const settings = vscode.workspace.getConfiguration("saliscope.server");
  const [command, ...args] = settings.get<string[]>("command", ["saliscope", "lsp"]);
  const server: ServerOptions = { command, args };
  const options: LanguageClientOptions = {
    documentSelector: LANGUAGES.flatMap((language) => SCHEMES.map((scheme) => ({ language, scheme }))),
    initializationOptions: () => ({ saliscope: {} }),
  };
  client = new LanguageClient("saliscope", "saliscope", server, options);
  client.registerFeature(asks);

  const colours = new Colours();
  const status = vscode.window.createStatusBarItem("saliscope", vscode.StatusBarAlignment.Right);
  status.command = "saliscope.here.status";
  context.subscriptions.push(colours, status);

  client.onNotification("saliscope/decorations", (told: Told) => {
    if (!colours.draw(told)) {
      setTimeout(() => void run("decorations", told.uri), AGAIN_MS);
    }
  });
  client.onNotification("saliscope/status", (told: { state: string; message: string }) => {
    status.text = told.state === "connected" ? "saliscope" : `$(sync~spin) saliscope: ${told.state}`;
    status.tooltip = told.message;
    status.show();
  });
  context.subscriptions.push(
    vscode.workspace.onDidChangeTextDocument((event) => colours.edited(event)),
    vscode.workspace.onDidCloseTextDocument((document) => colours.forget(document)),
    vscode.window.onDidChangeVisibleTextEditors((editors) => editors.forEach((editor) => colours.show(editor.document))),
    vscode.window.onDidChangeTextEditorSelection((event) => void focus(event.textEditor)),
  );
  for (const [name, action] of Object.entries(ACTIONS)) {
    context.subscriptions.push(vscode.commands.registerCommand(`saliscope.here.${name}`, action));
  }
  await client.start();
}

export async function deactivate(): Promise<void> {
  await client?.stop();
}

async function run<T>(name: string, ...args: unknown[]): Promise<T | undefined> {
  return client?.sendRequest("workspace/executeCommand", { command: `saliscope.${name}`, arguments: args });
}

async function focus(editor: vscode.TextEditor): Promise<void> {
  if (client?.state === State.Running && LANGUAGES.includes(editor.document.languageId)) {
    const [uri, position] = here(editor);
    await client.sendNotification("saliscope/focus", { uri, position });
  }
}

function here(editor: vscode.TextEditor): [string, { line: number; character: number }] {
  const { line, character } = editor.selection.active;
  return [editor.document.uri.toString(), { line, character }];
}

/** Runs with the place of the caret; says what went wrong. */
function placed(action: (uri: string, place: { line: number; character: number }) => Promise<unknown>) {
  return async () => {
    const editor = vscode.window.activeTextEditor;
    if (editor === undefined) {
      return;
    }
    try {
      await action(...here(editor));
    } catch (error) {
      void vscode.window.showErrorMessage(`saliscope: ${error instanceof Error ? error.message : String(error)}`);
    }
  };
}

async function choose(uri: string, list: "models" | "methods", set: "setModel" | "setMethod"): Promise<void> {
  const found = (await run<{ name: string; summary?: string; state?: string }[]>(list)) ?? [];
  const items = found.map((one) => ({ label: one.name, description: one.summary ?? one.state }));
  const chosen = await vscode.window.showQuickPick(items, { title: `saliscope: ${list}` });
  if (chosen !== undefined) {
    await run(set, uri, chosen.label);
  }
}

const ACTIONS = {
  explain: placed((uri, place) => run("explain", uri, place)),
  runFile: placed(async (uri) => {
    const found = await run<{ records: unknown[]; mispredicted: number }>("runFile", uri);
    if (found !== undefined) {
      const text = `${found.records.length} records, ${found.mispredicted} mispredicted`;
      void vscode.window.showInformationMessage(`saliscope: ${text}`);
    }
  }),
  setModel: placed((uri) => choose(uri, "models", "setModel")),
  setMethod: placed((uri) => choose(uri, "methods", "setMethod")),
  mask: placed((uri, place) => run("mask", uri, place)),
  cancel: placed(() => run("cancel")),
  restartDaemon: placed(() => run("restartDaemon")),
  status: placed(async () => {
    const found = JSON.stringify(await run("status"), null, 1);
    const document = await vscode.workspace.openTextDocument({ language: "json", content: found });
    await vscode.window.showTextDocument(document, { preview: true });
  }),
};
