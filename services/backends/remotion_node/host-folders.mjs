/**
 * The folders of the unfinished outputs of jobs. Each is linked in the temporary folder of this process, so that whichever
 * process removes that one can remove them too (`temporary.py`), should this process and its parent be killed.
 */
import { rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";

/** Remove a file or folder, if it exists. */
export const remove = (path) => {
  try {
    rmSync(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 20 });
  } catch (error) {
    console.error(error); // the parent removes it
  }
};

/** The folders of running jobs, by the name of the job. */
export class JobFolders {
  #folders = new Map();
  #temporary;

  constructor(temporary) {
    this.#temporary = temporary;
  }

  add(job, folder) {
    this.#folders.set(job, folder);
    try {
      symlinkSync(folder, this.#link(job));
    } catch (error) {
      console.error(error); // the disk may be full
    }
  }

  /** Forget a folder, which its owner has removed. */
  delete(job) {
    if (this.#folders.delete(job)) {
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
