/*
 * HarnessTest.java - how a client is tested with the harness: java.net.http's WebSocket here, yours in
 * its place. JUnit 5, and nothing else.
 *
 * $SOCKJSD and $SOCKJS_HOSTILE are the programs; else they are looked for in $PATH.
 */
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.net.http.WebSocket;
import java.util.UUID;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

class HarnessTest {
	private static final String TOKEN = UUID.randomUUID().toString();
	private static final HttpClient http = HttpClient.newHttpClient();
	private static Process server, proxy;
	private static String internal, url, control;

	/* --- the two programs ----------------------------------------------------------- */

	private static String env(String name, String otherwise) {
		return System.getenv().getOrDefault(name, otherwise);
	}

	/* Reads lines until they fit. */
	private static Matcher ready(Process process, String pattern) throws IOException {
		BufferedReader out = new BufferedReader(new InputStreamReader(process.getInputStream()));
		StringBuilder text = new StringBuilder();

		for (String line; (line = out.readLine()) != null;) {
			Matcher m = Pattern.compile(pattern).matcher(text.append(line).append('\n'));
			if (m.find())
				return m;
		}
		throw new IOException("it has ended: " + text);
	}

	private static Process start(String... command) throws IOException {
		ProcessBuilder builder = new ProcessBuilder(command);

		builder.redirectError(ProcessBuilder.Redirect.INHERIT).environment().put("SOCKJSD_TOKEN", TOKEN);
		return builder.start();
	}

	@BeforeAll
	static void startBoth() throws IOException {
		server = start(env("SOCKJSD", "sockjsd"), "--demo", "-l", "127.0.0.1:0", "--internal", "127.0.0.1:0",
				"--log-level", "warn");
		Matcher m = ready(server, "listening on http://(\\S+)\ninternal on (\\S+)\n");
		internal = m.group(2);
		proxy = start(env("SOCKJS_HOSTILE", "sockjs-hostile"), "--target", m.group(1), "--control", "127.0.0.1:0",
				"--log-level", "warn");
		m = ready(proxy, "listening on http:(\\S+) for \\S+ control on (\\S+)\n");
		url = "ws:" + m.group(1);
		control = m.group(2);
	}

	@AfterAll
	static void stopBoth() throws InterruptedException {
		for (Process process : new Process[] { proxy, server })
			if (process != null) {
				process.destroy();
				process.waitFor();
			}
	}

	/* --- what a test can do -------------------------------------------------------------- */

	/* What the network is like from now on; "": it is well. */
	private static void network(String rules) throws Exception {
		var request = HttpRequest.newBuilder(URI.create(control + "/rules")).PUT(BodyPublishers.ofString(rules));
		var answer = http.send(request.build(), BodyHandlers.ofString());

		assertTrue(answer.statusCode() < 300, answer.body());
	}

	/* JSON in, JSON out; a real test would use a library for both. */
	private static String command(String name, String body) throws Exception {
		var request = HttpRequest.newBuilder(URI.create(internal + "/api/" + name)).POST(BodyPublishers.ofString(body))
				.header("Content-Type", "application/json").header("Authorization", "Bearer " + TOKEN);
		var answer = http.send(request.build(), BodyHandlers.ofString());

		assertEquals(200, answer.statusCode(), answer.body());
		return answer.body();
	}

	private static String received(String name, int count) throws Exception {
		String seen = command("received",
				String.format("{\"name\":\"%s\",\"count\":%d,\"wait_ms\":20000}", name, count));

		assertFalse(seen.contains("\"timed_out\":true"), seen);
		return seen;
	}

	private static String session(String name) throws Exception {
		Matcher m = Pattern.compile("\"session\":(\\d+)").matcher(received(name, 0));

		assertTrue(m.find());
		return m.group(1);
	}

	/* A client whose events can be waited for. */
	private static class Client implements WebSocket.Listener {
		private final BlockingQueue<String> events = new LinkedBlockingQueue<>();
		private final WebSocket socket;

		Client(String path) {
			socket = http.newWebSocketBuilder().buildAsync(URI.create(url + "/unruly/" + path), this).join();
		}

		@Override
		public CompletionStage<?> onText(WebSocket s, CharSequence data, boolean last) {
			events.add(data.toString());
			s.request(1);
			return null;
		}

		@Override
		public CompletionStage<?> onClose(WebSocket s, int code, String reason) {
			events.add(code + " " + reason);
			return null;
		}

		String next() throws InterruptedException {
			return events.poll(20, TimeUnit.SECONDS);
		}
	}

	/* --- tests ------------------------------------------------------------------------------- */

	@Test
	void whatItSendsHasComeToTheServer() throws Exception {
		Client client = new Client("name-ann");

		client.socket.sendText("one", true).join();
		assertTrue(received("ann", 1).contains("\"body\":\"one\""));
		assertEquals("one", client.next());
	}

	@Test
	void theServerSpeaksFirstAndSendsItAway() throws Exception {
		Client client = new Client("name-bob/silent");
		String session = session("bob");

		command("send", "{\"session\":" + session + ",\"message\":\"news\"}");
		assertEquals("news", client.next());
		command("disconnect", "{\"session\":" + session + ",\"code\":4001,\"reason\":\"That was all.\"}");
		assertEquals("4001 That was all.", client.next());
	}

	@Test
	void itIsClosedAfterTwoMessages() throws Exception {
		Client client = new Client("name-cid/close-4002-after-2/reason-Enough");

		client.socket.sendText("1", true).join();
		client.socket.sendText("2", true).join();
		assertEquals("1", client.next());
		assertEquals("2", client.next());
		assertEquals("4002 Enough", client.next());
	}

	@Test
	void aFrameIsLostOnTheWay() throws Exception {
		network("drop first client frame");
		try {
			Client client = new Client("name-dan");

			client.socket.sendText("lost", true).join();
			client.socket.sendText("kept", true).join();
			assertEquals("kept", client.next());
			assertFalse(received("dan", 1).contains("lost"));
		} finally {
			network("");
		}
	}
}
