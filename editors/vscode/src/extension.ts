// saliscope in VS Code: starts the language server, draws its scores, and gives its commands a place.
import * as vscode from "vscode";
import { State as ClientState } from "vscode-languageclient/node";
import type { LanguageClient } from "vscode-languageclient/node";

import { Colours, type Told } from "./colours";
import { register } from "./commands";
import { Here } from "./here";
import { Panel, VIEW } from "./panel";
import { Server } from "./server";
import { Status, type State } from "./status";

const AGAIN_MS = 200;

let server: Server | undefined;

export async function activate(context: vscode.ExtensionContext): Promise<void> {
  const colours = new Colours();
  const status = new Status();
  const panel = new Panel();
  const mine = new Server({
    explained(known) {
      panel.explained(known);
      void panel.open();
    },
    compared() {
      // No colour changes with them, so there is no news.
      here.look(true);
      void panel.open();
    },
    copied(known) {
      void vscode.env.clipboard.writeText(JSON.stringify(known, null, 2));
      vscode.window.setStatusBarMessage("saliscope: the explanation is copied", 3000);
    },
  }, listen);
  server = mine;
  const here = new Here(() => mine);
  here.onSeen((seen) => {
    panel.show(seen);
    status.show(seen);
    if (seen.summary?.problem?.code === "no-model") {
      void hint(context);
    }
  });
  context.subscriptions.push(mine.log, colours, status, here, ...register(() => mine));
  context.subscriptions.push(vscode.window.registerWebviewViewProvider(VIEW, panel), ...watch(mine, status, colours, here));

  /** What each run of the server tells. */
  function listen(client: LanguageClient): void {
    client.onNotification("saliscope/decorations", (told: Told) => {
      if (!colours.draw(told)) {
        setTimeout(() => {
          again(mine, told).catch((error: unknown) => mine.log.appendLine(`not drawn again: ${String(error)}`));
        }, AGAIN_MS);
      }
      here.look(true);
    });
    client.onNotification("saliscope/status", (told: State) => {
      status.told(told);
      here.look(true);
    });
    client.onDidChangeState(({ newState }) => {
      if (newState === ClientState.Stopped) {
        colours.clear();
        status.told({ state: "stopped", message: "" });
      }
    });
  }

  await start(status, () => mine.restart());
}

export async function deactivate(): Promise<void> {
  await server?.end();
}

/** Have sent again what was told about another text. */
async function again(mine: Server, told: Told): Promise<void> {
  const uri = vscode.Uri.parse(told.uri).toString();
  if (mine.isRunning && vscode.workspace.textDocuments.some((one) => one.uri.toString() === uri)) {
    const ids = [...told.removed, ...told.records.map((record) => record.id)];
    await mine.run("decorations", told.uri, told.reset ? null : ids);
  }
}

/** Say once, to a person and not to each window, that a model must be chosen; the status bar says it always. */
async function hint(context: vscode.ExtensionContext): Promise<void> {
  if (context.globalState.get<boolean>("hinted")) {
    return;
  }
  await context.globalState.update("hinted", true);
  const choose = "Choose a model…";
  const message = "saliscope explains texts as soon as a model is chosen. Two small ones are installed.";
  if ((await vscode.window.showInformationMessage(message, choose)) === choose) {
    await vscode.commands.executeCommand("saliscope.here.setModel");
  }
}

function watch(mine: Server, status: Status, colours: Colours, here: Here): vscode.Disposable[] {
  return [
    vscode.workspace.onDidChangeTextDocument((event) => colours.edited(event)),
    vscode.workspace.onDidCloseTextDocument((document) => colours.forget(document)),
    vscode.window.onDidChangeVisibleTextEditors((editors) => editors.forEach((one) => colours.show(one.document))),
    vscode.window.onDidChangeActiveTextEditor(() => here.look(true)),
    vscode.workspace.onDidChangeConfiguration((event) => {
      if (event.affectsConfiguration("saliscope.server")) {
        void start(status, () => mine.restart());
      } else if (event.affectsConfiguration("saliscope")) {
        here.look(true);
      }
    }),
    vscode.window.onDidChangeTextEditorSelection(({ textEditor }) => {
      here.look(false);
      if (mine.serves(textEditor.document)) {
        void mine.focus(textEditor.document.uri, textEditor.selection.active);
      }
    }),
  ];
}

async function start(status: Status, begin: () => Promise<void>): Promise<void> {
  try {
    await begin();
  } catch (error) {
    status.told({ state: "failed", message: String(error) });
    const settings = "Open the setting";
    const message = "saliscope: the language server does not start. Is `pip install saliscope` done?";
    if ((await vscode.window.showErrorMessage(message, settings)) === settings) {
      await vscode.commands.executeCommand("workbench.action.openSettings", "saliscope.server.command");
    }
  }
}
