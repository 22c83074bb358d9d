/** The child processes of this one: the browser, and Remotion's FFmpeg and compositor. */
import childProcess from "node:child_process";
import { syncBuiltinESMExports } from "node:module";
import { basename } from "node:path";

const children = new Map(); // to the jobs that have started them, if any

/**
 * Keep the list of child processes. `currentJob` returns the job that starts one, if any. `onBrowser` is called with the
 * browser when it is started, and `onEncoder` with a job before it starts FFmpeg, which is not started if that throws.
 */
export const watchChildren = ({ currentJob, onBrowser, onEncoder }) => {
  const { spawn } = childProcess;
  childProcess.spawn = (...args) => {
    const job = currentJob();
    if (job && isEncoder(args[0])) {
      onEncoder(job);
    }
    const child = spawn(...args);
    if (child.pid) {
      children.set(child, job);
      child.once("exit", () => children.delete(child));
      if (child.spawnargs.some((argument) => String(argument).startsWith("--remote-debugging-port"))) {
        onBrowser(child);
      }
    }
    return child;
  };
  syncBuiltinESMExports();
};

const isEncoder = (program) => basename(String(program)).startsWith("ffmpeg");

/** Return whether a child process is running. */
export const isRunning = (child) => children.has(child);

/** Kill all child processes. */
export const killChildren = () => {
  for (const child of children.keys()) {
    killTree(child);
  }
};

/**
 * Kill the FFmpeg processes of a job. A cancellation of Remotion does not: if all frames are drawn, it lets the encoding
 * go on, and write the output. Otherwise it lets FFmpeg encode the frames that it has read.
 */
export const killEncoders = (job) => {
  for (const [child, owner] of children) {
    if (owner === job && isEncoder(child.spawnfile)) {
      killTree(child);
    }
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
