// The commands of the palette: each runs one of the server with the place of the caret, and says what came of it.
import * as vscode from "vscode";

import type { FileRun, Known, Named, Position } from "./answers";
import type { Server } from "./server";

const AS_SET = "(as the settings say)";
const FITTING = "(the one that fits the model)";
const ANOTHER = "(a folder, or the name on a hub)";

type Action = (server: Server, uri: vscode.Uri, place: Position) => Promise<void>;

async function chosen(
  server: Server,
  list: "models" | "methods",
  title: string,
  more?: string,
): Promise<string | undefined> {
  const found = await server.run<Named[]>(list);
  const items: vscode.QuickPickItem[] = found.map(({ name, summary, state }) => ({
    label: name,
    ...(summary ? { detail: summary } : {}),
    ...(state ? { description: state } : {}),
  }));
  const all = more === undefined ? items : [...items, { label: more }];
  return (await vscode.window.showQuickPick(all, { title: `saliscope: ${title}`, matchOnDetail: true }))?.label;
}

/** Write a setting where it holds for what is open: for the workspace if there is one. */
async function set(name: "model" | "method", value: string | undefined, uri: vscode.Uri): Promise<void> {
  const target = vscode.workspace.workspaceFolders ? vscode.ConfigurationTarget.Workspace : vscode.ConfigurationTarget.Global;
  await vscode.workspace.getConfiguration("saliscope", uri).update(name, value, target);
}

const PLACED: Record<string, Action> = {
  async explain(server, uri, place) {
    await server.act("explain", uri, place);
  },
  async runFile(server, uri) {
    const found = await server.run<FileRun>("runFile", uri.toString());
    const text = `${found.records.length} records, ${found.mispredicted} mispredicted`;
    void vscode.window.showInformationMessage(`saliscope: ${text}`);
  },
  async setMethod(server, uri) {
    const method = await chosen(server, "methods", "explain by which method?", FITTING);
    if (method !== undefined) {
      await set("method", method === FITTING ? undefined : method, uri);
    }
  },
  async setTarget(server, uri, place) {
    const known = await server.run<Known | null>("record", uri.toString(), place);
    const labels = Object.keys(known?.prediction?.probabilities ?? {});
    const target = await vscode.window.showQuickPick([AS_SET, ...labels], { title: "saliscope: explain which class?" });
    if (target !== undefined) {
      await server.run("setTarget", uri.toString(), target === AS_SET ? null : target);
    }
  },
  async compare(server, uri, place) {
    const method = await chosen(server, "methods", "compare with which method?");
    if (method !== undefined) {
      await server.act("compare", uri, place, method);
    }
  },
  async mask(server, uri, place) {
    // The server says what came of it.
    await server.run("mask", uri.toString(), place);
  },
  async copyJson(server, uri, place) {
    await server.act("copyJson", uri, place);
  },
};

const ANYWHERE: Record<string, (server: Server) => Promise<void>> = {
  async setModel(server) {
    const said = await chosen(server, "models", "explain which model?", ANOTHER);
    const title = "saliscope: explain which model? You are asked before anything is fetched.";
    const model = said === ANOTHER ? await vscode.window.showInputBox({ title, placeHolder: "./my-model, organisation/model" }) : said;
    if (model) {
      await set("model", model, vscode.window.activeTextEditor?.document.uri ?? vscode.Uri.file("/"));
    }
  },
  async download(server) {
    const name = await vscode.window.showInputBox({ title: "saliscope: fetch which model?", placeHolder: "organisation/model" });
    if (name) {
      await server.run("download", name);
    }
  },
  async cancel(server) {
    await server.run("cancel");
  },
  async restartDaemon(server) {
    await server.run("restartDaemon");
  },
  async restartServer(server) {
    await server.restart();
  },
  async status(server) {
    server.log.appendLine(JSON.stringify(await server.run("status"), null, 1));
    server.log.show(true);
  },
  async log(server) {
    server.log.show(true);
  },
  async settings() {
    await vscode.commands.executeCommand("workbench.action.openSettings", "saliscope.");
  },
  async menu() {
    const items = MENU.map(([command, icon, label]) => ({ label: `$(${icon}) ${label}`, command }));
    const found = await vscode.window.showQuickPick(items, { title: "saliscope" });
    if (found !== undefined) {
      await vscode.commands.executeCommand(found.command);
    }
  },
};

/** What a click on the status bar offers: command, icon, label. */
const MENU = [
  ["saliscope.here.setModel", "symbol-misc", "Choose a model…"],
  ["saliscope.here.setMethod", "settings", "Choose a method…"],
  ["saliscope.attribution.focus", "list-ordered", "Show all numbers"],
  ["saliscope.here.runFile", "play-circle", "Explain the whole document"],
  ["saliscope.here.cancel", "debug-stop", "Cancel what runs"],
  ["saliscope.here.settings", "gear", "Open the settings"],
  ["saliscope.here.status", "info", "Show how server and daemon are"],
  ["saliscope.here.log", "output", "Show the log"],
  ["saliscope.here.restartDaemon", "debug-restart", "Restart the daemon"],
  ["saliscope.here.restartServer", "debug-restart", "Restart the language server"],
] as const;

/** Register them all; a failure is said, once, as the server words it. */
export function register(server: () => Server): vscode.Disposable[] {
  const safely = (work: () => Promise<void>) => async (): Promise<void> => {
    try {
      await work();
    } catch (error) {
      void vscode.window.showErrorMessage(`saliscope: ${error instanceof Error ? error.message : String(error)}`);
    }
  };
  const placed = Object.entries(PLACED).map(([name, action]): [string, () => Promise<void>] => [
    name,
    async () => {
      const editor = vscode.window.activeTextEditor;
      if (editor !== undefined) {
        const { line, character } = editor.selection.active;
        await action(server(), editor.document.uri, { line, character });
      }
    },
  ]);
  const anywhere = Object.entries(ANYWHERE).map(([name, action]): [string, () => Promise<void>] => [
    name,
    () => action(server()),
  ]);
  return [...placed, ...anywhere].map(([name, work]) =>
    vscode.commands.registerCommand(`saliscope.here.${name}`, safely(work)),
  );
}
