import { cookies } from "next/headers";

const COOKIE = "user";

/**
 * Return the id of the signed-in user, or undefined.
 *
 * This example believes the cookie. Replace both functions by your own sign-in, such as Auth.js.
 */
export async function signedInUser(): Promise<string | undefined> {
  return (await cookies()).get(COOKIE)?.value || undefined;
}

/** Sign in the user whose name is in the form. */
export async function signIn(form: FormData): Promise<void> {
  "use server";
  (await cookies()).set(COOKIE, String(form.get("name")).slice(0, 100), { httpOnly: true, sameSite: "lax" });
}
