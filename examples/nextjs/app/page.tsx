import { signedInUser, signIn } from "./session";
import { Video } from "./video";

export const dynamic = "force-dynamic"; // depends on the cookie and on the server's environment

export default async function Page() {
  const user = await signedInUser();
  if (!user) {
    return (
      <form action={signIn}>
        <label>
          Name <input name="name" required maxLength={100} />
        </label>{" "}
        <button>Sign in</button>
      </form>
    );
  }
  return <Video url={process.env["RENDERCAST_URL"] ?? "http://127.0.0.1:8000"} user={user} />;
}
