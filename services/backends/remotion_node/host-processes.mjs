/** The child processes of this one: the browser, and Remotion's FFmpeg and compositor. */
import childProcess from "node:child_process";
import { syncBuiltinESMExports } from "node:module";

const children = new Set();

/** Keep the list of child processes, and call `onBrowser` with the browser when it is started. */
export const watchChildren = (onBrowser) => {
  const { spawn } = childProcess;
  childProcess.spawn = (...args) => {
    const child = spawn(...args);
    if (child.pid) {
      children.add(child);
      child.once("exit", () => children.delete(child));
      if (child.spawnargs.some((argument) => String(argument).startsWith("--remote-debugging-port"))) {
        onBrowser(child);
      }
    }
    return child;
  };
  syncBuiltinESMExports();
};

/** Return whether a child process is running. */
export const isRunning = (child) => children.has(child);

/** Kill all child processes. */
export const killChildren = () => {
  for (const child of children) {
    killTree(child);
  }
};

const killTree = ({ pid }) => {
  for (const id of [-pid, pid]) {
    try {
      process.kill(id, "SIGKILL"); // a browser leads a process group of its own
    } catch {
      // It has ended, or leads no group.
    }
  }
};
