import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;

/** Starts two renders on one connection of Java's client, which asks for an upgrade to HTTP/2 over plain HTTP. */
public class StartRender {
  public static void main(String[] arguments) throws Exception {
    HttpClient client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_2).build();
    for (int number = 0; number < 2; number++) {
      HttpRequest request =
          HttpRequest.newBuilder(URI.create(arguments[0]))
              .header("Content-Type", "application/json")
              .POST(HttpRequest.BodyPublishers.ofString(arguments[1]))
              .build();
      HttpResponse<String> response = client.send(request, HttpResponse.BodyHandlers.ofString());
      System.out.println(response.statusCode() + " " + response.version() + " " + response.body());
    }
  }
}
