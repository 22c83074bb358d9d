/**
 * The folders of jobs: those of their unfinished outputs, and Remotion's in the temporary folder of this process.
 *
 * The parent has linked those of outputs in the temporary folder, so that whichever process removes that one can remove
 * them too (`temporary.py`), should this process and its parent be killed.
 */
import fs, { rmSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { dirname, join } from "node:path";

/** Remove a file or folder, if it exists. */
export const remove = (path) => {
  try {
    rmSync(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 20 });
  } catch (error) {
    console.error(error); // the parent removes it
  }
};

/**
 * Record in `job.temporary` the folders that Remotion creates for a job in the temporary folder, and let it not create
 * that of the output for a job that was stopped: its owner has removed it.
 */
export const watchFolders = (temporary, currentJob) => {
  const { mkdirSync } = fs;
  fs.mkdirSync = (path, ...options) => {
    const job = currentJob();
    if (job?.isStopped && path === job.folder) {
      throw new Error("the job has ended");
    }
    if (dirname(String(path)) === temporary) {
      job?.temporary.push(path);
    }
    return mkdirSync(path, ...options);
  };
  syncBuiltinESMExports();
};

/** The folders of the unfinished outputs of running jobs, by the name of the job. */
export class JobFolders {
  #folders = new Map();
  #temporary;

  constructor(temporary) {
    this.#temporary = temporary;
  }

  add(job, folder) {
    this.#folders.set(job, folder);
  }

  /** Remove a folder, which its owner has removed before, but the job may have created again. */
  delete(job) {
    const folder = this.#folders.get(job);
    if (this.#folders.delete(job)) {
      remove(folder);
      remove(this.#link(job));
    }
  }

  removeAll() {
    for (const folder of this.#folders.values()) {
      remove(folder);
    }
  }

  #link(job) {
    return join(this.#temporary, `unfinished-${job}`);
  }
}
