// saliscope in VS Code: starts the language server, draws its scores, and gives its commands a place.
import * as vscode from "vscode";
import { State as ClientState } from "vscode-languageclient/node";

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
      panel.show(known);
      void panel.open();
    },
    compared() {
      // The panel hears the scores with the news of the record.
      void panel.open();
    },
    copied(known) {
      void vscode.env.clipboard.writeText(JSON.stringify(known, null, 2));
      vscode.window.setStatusBarMessage("saliscope: the explanation is copied", 3000);
    },
  });
  server = mine;
  const here = new Here(() => mine);
  here.onKnown((known) => {
    panel.show(known);
    status.show(known);
  });
  context.subscriptions.push(colours, status, here, ...register(() => mine));
  context.subscriptions.push(vscode.window.registerWebviewViewProvider(VIEW, panel), ...watch(mine, colours, here));

  mine.client.onNotification("saliscope/decorations", (told: Told) => {
    if (!colours.draw(told)) {
      setTimeout(() => void again(mine, told), AGAIN_MS);
    }
    here.look();
  });
  mine.client.onNotification("saliscope/status", (told: State) => status.told(told));
  mine.client.onDidChangeState(({ newState }) => {
    if (newState === ClientState.Stopped) {
      colours.clear();
      status.told({ state: "stopped", message: "" });
    }
  });
  await start(mine, status);
}

export async function deactivate(): Promise<void> {
  if (server?.isRunning) {
    await server.client.stop();
  }
}

/** Have sent again what was told about another text. */
async function again(mine: Server, told: Told): Promise<void> {
  const uri = vscode.Uri.parse(told.uri).toString();
  if (mine.isRunning && vscode.workspace.textDocuments.some((one) => one.uri.toString() === uri)) {
    const ids = [...told.removed, ...told.records.map((record) => record.id)];
    await mine.run("decorations", told.uri, told.reset ? null : ids);
  }
}

function watch(mine: Server, colours: Colours, here: Here): vscode.Disposable[] {
  return [
    vscode.workspace.onDidChangeTextDocument((event) => colours.edited(event)),
    vscode.workspace.onDidCloseTextDocument((document) => colours.forget(document)),
    vscode.window.onDidChangeVisibleTextEditors((editors) => editors.forEach((one) => colours.show(one.document))),
    vscode.window.onDidChangeActiveTextEditor(() => here.look()),
    vscode.window.onDidChangeTextEditorSelection(({ textEditor }) => {
      here.look();
      if (mine.serves(textEditor.document)) {
        void mine.focus(textEditor.document.uri, textEditor.selection.active);
      }
    }),
  ];
}

async function start(mine: Server, status: Status): Promise<void> {
  try {
    await mine.client.start();
  } catch (error) {
    status.told({ state: "failed", message: String(error) });
    const settings = "Open the setting";
    const message = "saliscope: the language server does not start. Is `pip install saliscope` done?";
    if ((await vscode.window.showErrorMessage(message, settings)) === settings) {
      await vscode.commands.executeCommand("workbench.action.openSettings", "saliscope.server.command");
    }
  }
}
