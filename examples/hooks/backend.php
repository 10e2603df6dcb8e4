<?php
/*
 * backend.php - a backend by web-hooks, with nothing but PHP.
 *
 *	PHP_CLI_SERVER_WORKERS=4 php -S 127.0.0.1:9000 backend.php
 *
 * or a page of whatever web server there is. API, SECRET_FILE, TOKEN_FILE and STATE_FILE of the
 * environment say where the rest is. What is asked and answered is described in README.md;
 * backend.mjs and backend.py are the same program. PHP remembers nothing from one request to the
 * next: the topics are in a file.
 */
declare(strict_types=1);

const SIGNATURE_MAX_AGE_S = 300;
const TEXT_MAX = 200;
const RESERVED = ['admin', 'root', 'system'];
const EDITORS = ['ann'];
const TOPICS = ['tea' => 'Milk first?', 'coffee' => 'Beans', 'attic' => 'What is in that box?'];

function setting(string $variable, string $default): string
{
	return getenv($variable) ?: $default;
}

function first_line(string $file): string
{
	return explode("\n", file_get_contents($file))[0];
}

/* The gateway tells the client the reason. */
class Refusal extends Exception
{
	public function __construct(public readonly int $status, string $reason)
	{
		parent::__construct($reason);
	}
}

/* --- topics ---------------------------------------------------------------------- */

/* Lets `change` have them, while nobody else does, and keeps what it returns. */
function topics(callable $change): array
{
	$file = fopen(setting('STATE_FILE', sys_get_temp_dir() . '/sockjsd-hooks-topics.json'), 'c+');
	flock($file, LOCK_EX);
	$topics = $change(json_decode(stream_get_contents($file), true) ?? TOPICS);
	rewind($file);
	ftruncate($file, 0);
	fwrite($file, json_encode($topics));
	fclose($file); /* which unlocks it */
	return $topics;
}

/* --- what is asked ----------------------------------------------------------------- */

function name_of(mixed $value): string
{
	$name = is_string($value) ? trim($value) : '';
	if (!preg_match('/^[\p{L}\p{N}]{1,15}$/Du', $name)) /* a session has a name of 16, which shall not be anybody's */
		throw new Refusal(403, 'A name has 1 to 15 letters and digits.');
	if (in_array(strtolower($name), RESERVED, true))
		throw new Refusal(403, "The name $name is reserved.");
	return $name;
}

function text_of(mixed $body): string
{
	$text = is_string($body) ? trim($body) : ''; /* what is no text is an object */
	$length = iconv_strlen($text, 'UTF-8');
	if ($length < 1 || $length > TEXT_MAX)
		throw new Refusal(422, 'A text has 1 to ' . TEXT_MAX . ' characters.');
	return preg_replace('/\bheck\b/iu', '****', $text);
}

function enter(array $event): array
{
	$user = name_of($event['connect']['login'] ?? '');
	return ['user' => $user, 'roles' => in_array($user, EDITORS, true) ? ['editor'] : []];
}

function moderate(array $event): array
{
	return ['message' => ['headers' => ['from' => $event['user']], 'body' => text_of($event['body'] ?? '')]];
}

function set_topic(array $event): array
{
	$room = $event['variables']['room'];
	if (!isset(TOPICS[$room]))
		throw new Refusal(404, 'There is no such room.');
	$text = text_of($event['body'] ?? '');
	topics(fn ($topics) => [$room => $text] + $topics);
	return [
		'messages' => [['destination' => "/topic/rooms/$room", 'headers' => ['from' => $event['user'], 'kind' => 'topic'], 'body' => $text]],
		'reply' => ['body' => "You have set the topic of $room."],
	];
}

function list_rooms(): array
{
	$topics = topics(fn ($topics) => $topics);
	$rooms = array_map(fn ($name) => ['name' => $name, 'topic' => $topics[$name]], array_keys(TOPICS));
	return ['reply' => ['headers' => ['content-type' => 'application/json'], 'body' => json_encode(['rooms' => $rooms])]];
}

function sit_down(array $event): array
{
	parse_str($event['query'], $query);
	$user = name_of($query['name'] ?? '');
	return ['user' => $user, 'messages' => ["Welcome, $user. Say roll or quit."]];
}

/* All that has come from one player since the last time, in order. */
function play(array $event): array
{
	$answer = ['messages' => []];
	$news = [];
	foreach ($event['messages'] as $message) {
		if ($message === 'quit') {
			$answer['close'] = ['code' => 4000, 'reason' => 'Good night.'];
			break;
		}
		if ($message !== 'roll') {
			$answer['messages'][] = 'Say roll or quit.';
			continue;
		}
		$rolled = random_int(1, 6);
		$answer['messages'][] = "You have rolled $rolled.";
		$news[] = "{$event['user']} has rolled $rolled.";
	}
	publish_news($event['id'], $news);
	return $answer;
}

/* Each returns the answer, or throws a Refusal. */
function answer_to(array $event): array
{
	return match ("{$event['endpoint']} {$event['event']}") {
		'/stomp connect' => enter($event),
		'/stomp publish' => moderate($event),
		'/stomp message' => set_topic($event),
		'/stomp subscribe' => list_rooms(),
		'/stomp disconnect' => publish_news($event['id'], ["{$event['user']} has left."]),
		'/dice connect' => sit_down($event),
		'/dice message' => play($event),
		'/dice disconnect' => publish_news($event['id'], ["{$event['user']} has left the table."]),
		default => throw new Refusal(404, 'This is not known here.'),
	};
}

/* --- telling the gateway something by ourselves ------------------------------------- */

function publish_news(string $id, array $texts): array
{
	if (!$texts)
		return [];
	$api = setting('API', 'http://127.0.0.1:8082');
	$token = first_line(setting('TOKEN_FILE', __DIR__ . '/api.token'));
	$messages = array_map(fn ($text) => ['destination' => '/topic/news', 'body' => $text], $texts);
	$answer = @file_get_contents("$api/api/publish", false, stream_context_create(['http' => [
		'method' => 'POST',
		'header' => ["Authorization: Bearer $token", 'Content-Type: application/json'],
		'content' => json_encode(['messages' => $messages, 'idempotency_key' => $id]),
		'timeout' => 5,
	]]));
	if ($answer === false)
		error_log("backend: $api: " . error_get_last()['message']); /* that it happened is true all the same */
	return [];
}

/* --- being asked --------------------------------------------------------------------- */

function is_signed(string $header, string $body): bool
{
	if (!preg_match('/^t=(\d{1,12}),v1=([0-9a-f]{64})$/D', $header, $match))
		return false;
	[, $time, $mac] = $match;
	$secret = first_line(setting('SECRET_FILE', __DIR__ . '/hooks.secret'));
	return abs(time() - (int) $time) <= SIGNATURE_MAX_AGE_S && hash_equals(hash_hmac('sha256', "$time.$body", $secret), $mac);
}

function answer(): array
{
	$body = file_get_contents('php://input');
	if (!is_signed($_SERVER['HTTP_SOCKJSD_SIGNATURE'] ?? '', $body))
		throw new Refusal(401, 'This is not signed.');
	return answer_to(json_decode($body, true, 512, JSON_THROW_ON_ERROR));
}

try {
	$json = answer();
} catch (Refusal $refusal) {
	http_response_code($refusal->status);
	$json = ['reason' => $refusal->getMessage()];
} catch (Throwable $err) { /* a fault of ours: and the gateway lets nobody pass */
	error_log("backend: $err");
	http_response_code(500);
	$json = [];
}
header('Content-Type: application/json');
echo json_encode((object) $json);
