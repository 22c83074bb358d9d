import { SignJWT } from "jose";
import { signedInUser } from "../../session";

/** Return a token of five minutes for the signed-in user. Pages of other sites can't read the response. */
export async function POST(): Promise<Response> {
  const user = await signedInUser();
  if (!user) return Response.json({ message: "Sign in first." }, { status: 401 });
  const secret = process.env["RENDERCAST_JWT_SECRET"]; // the same as in the environment of Rendercast
  if (!secret) throw new Error("Set RENDERCAST_JWT_SECRET to the secret of Rendercast.");
  const token = await new SignJWT()
    .setProtectedHeader({ alg: "HS256" })
    .setIssuer("rendercast")
    .setAudience("rendercast")
    .setSubject(user)
    .setIssuedAt()
    .setExpirationTime("5 minutes")
    .sign(new TextEncoder().encode(secret));
  return Response.json({ token }, { headers: { "Cache-Control": "no-store" } });
}
