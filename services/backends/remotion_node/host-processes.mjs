/** The child processes of this one: the browser, and Remotion's FFmpeg and compositor. */
import childProcess from "node:child_process";
import { once } from "node:events";
import { syncBuiltinESMExports } from "node:module";
import { basename } from "node:path";

const children = new Map(); // child process → the job that has started it, or undefined

/**
 * Keep the list of child processes. `currentJob` returns the job that starts one, if any. `onBrowser` is called with the
 * browser when it has started, and `onFfmpeg` with a job before it starts FFmpeg, which does not start if that throws.
 */
export const watchChildren = ({ currentJob, onBrowser, onFfmpeg }) => {
  const { spawn } = childProcess;
  childProcess.spawn = (...args) => {
    const job = currentJob();
    if (job && isFfmpeg(args[0])) {
      onFfmpeg(job);
    }
    const child = spawn(...args);
    if (child.pid) {
      children.set(child, job);
      child.once("exit", () => children.delete(child));
      if (isFfmpeg(child.spawnfile)) {
        child.stdin?.on("error", () => {}); // Remotion may write to it after it was killed
      }
      if (child.spawnargs.some((argument) => String(argument).startsWith("--remote-debugging-port"))) {
        onBrowser(child);
      }
    }
    return child;
  };
  syncBuiltinESMExports();
};

const isFfmpeg = (program) => basename(String(program)).startsWith("ffmpeg");

/** Return whether a child process is running. */
export const isRunning = (child) => children.has(child);

/** Kill all child processes. */
export const killChildren = () => {
  for (const child of children.keys()) {
    killTree(child);
  }
};

/**
 * Kill the FFmpeg processes of a job, and return whether there were any, once they have ended. Remotion's cancellation
 * does not kill them: once all frames are drawn, the encoding goes on and writes the output, and before that, FFmpeg
 * encodes the frames that it has read.
 */
export const killFfmpeg = async (job) => {
  const running = [...children].filter(([child, owner]) => owner === job && isFfmpeg(child.spawnfile));
  await Promise.all(
    running.map(async ([child]) => {
      killTree(child);
      await once(child, "exit");
    }),
  );
  return running.length > 0;
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
