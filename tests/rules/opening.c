/*
 * tests/rules/opening.c - RFC 6455 section 4: opening handshakes that tests/wire/
 * handshake.wire does not know. Each is a handshake as it should be, but for the lines
 * that its table names.
 */
#include "rules/opening.h"

#include <string.h>

#include "rules/rule.h"

#define KEY "dGhlIHNhbXBsZSBub25jZQ=="

/* A row of the table. Lines without their end; NULL: as it should be; "": not there. */
struct request {
	const char *name;
	const char *line, *host, *upgrade, *connection, *version, *key, *more;
	unsigned statuses[STATUSES_MAX];
};

static const struct request requests[] = {
	{ "6455 4.2.1 header names in lower case", .host = "host: localhost",
	    .upgrade = "upgrade: websocket", .connection = "connection: Upgrade",
	    .version = "sec-websocket-version: 13", .key = "sec-websocket-key: " KEY,
	    .statuses = { 101 } },
	{ "6455 4.2.1 header names in upper case", .host = "HOST: localhost",
	    .upgrade = "UPGRADE: websocket", .connection = "CONNECTION: Upgrade",
	    .version = "SEC-WEBSOCKET-VERSION: 13", .key = "SEC-WEBSOCKET-KEY: " KEY,
	    .statuses = { 101 } },
	{ "6455 4.2.1 no blank behind colons", .host = "Host:localhost",
	    .upgrade = "Upgrade:websocket", .connection = "Connection:Upgrade",
	    .version = "Sec-WebSocket-Version:13", .key = "Sec-WebSocket-Key:" KEY,
	    .statuses = { 101 } },
	{ "6455 4.2.1 blanks and tabs around values", .host = "Host: \tlocalhost ",
	    .upgrade = "Upgrade: \t websocket \t", .connection = "Connection:   Upgrade\t",
	    .version = "Sec-WebSocket-Version:\t13 ", .key = "Sec-WebSocket-Key:  \t" KEY " \t ",
	    .statuses = { 101 } },
	{ "6455 4.2.1 headers that mean nothing",
	    .more = "X-One: 1\r\nX-Two: a,b;c=\"d\"\r\nX-Empty:", .statuses = { 101 } },
	{ "6455 4.2.1 cookies", .more = "Cookie: a=b; c=d", .statuses = { 101 } },
	{ "6455 4.2.1 Host with a port", .host = "Host: localhost:8081", .statuses = { 101 } },
	{ "6455 4.2.1 Host twice is refused", .host = "Host: localhost\r\nHost: localhost",
	    .statuses = { 400 } },
	{ "6455 4.2.1 Host without a value is refused", .host = "Host:", .statuses = { 400 } },
	{ "6455 4.2.1 a query behind the path", .line = "GET /echo/websocket?a=b&c HTTP/1.1",
	    .statuses = { 101 } },
	{ "6455 4.2.1 an absolute URI as target",
	    .line = "GET http://localhost/echo/websocket HTTP/1.1", .statuses = { 101 } },
	{ "6455 4.2.1 POST is refused", .line = "POST /echo/websocket HTTP/1.1",
	    .more = "Content-Length: 0", .statuses = { 405 } },
	{ "6455 4.2.1 PUT is refused", .line = "PUT /echo/websocket HTTP/1.1",
	    .more = "Content-Length: 0", .statuses = { 405 } },
	{ "6455 4.2.1 HEAD is refused", .line = "HEAD /echo/websocket HTTP/1.1",
	    .statuses = { 405, 400 } },
	{ "6455 4.2.1 DELETE is refused", .line = "DELETE /echo/websocket HTTP/1.1",
	    .statuses = { 405, 501 } },
	{ "6455 4.2.1 OPTIONS upgrades nothing", .line = "OPTIONS /echo/websocket HTTP/1.1" },
	{ "6455 4.2.1 get is no GET", .line = "get /echo/websocket HTTP/1.1",
	    .statuses = { 405, 501, 400 } },
	{ "6455 4.2.1 HTTP/2.0 in text upgrades nothing", .line = "GET /echo/websocket HTTP/2.0" },
	{ "6455 4.2.1 websocket among others in Upgrade", .upgrade = "Upgrade: h2c, WebSocket, x/1",
	    .statuses = { 101 } },
	{ "6455 4.2.1 websocket in a second Upgrade",
	    .upgrade = "Upgrade: h2c\r\nUpgrade: websocket", .statuses = { 101 } },
	{ "6455 4.2.1 Upgrade to websocket/13 is refused", .upgrade = "Upgrade: websocket/13",
	    .statuses = { 400 } },
	{ "6455 4.2.1 Upgrade to web socket is refused", .upgrade = "Upgrade: web socket",
	    .statuses = { 400 } },
	{ "6455 4.2.1 no Upgrade is refused", .upgrade = "", .statuses = { 400, 426 } },
	{ "6455 4.2.1 upgrade among others in Connection",
	    .connection = "Connection: keep-alive , uPGRADE,x", .statuses = { 101 } },
	{ "6455 4.2.1 Connection: Upgrade-Insecure-Requests is refused",
	    .connection = "Connection: Upgrade-Insecure-Requests", .statuses = { 400 } },
	{ "6455 4.2.1 upgrade in quotes in Connection is refused",
	    .connection = "Connection: \"Upgrade\"", .statuses = { 400 } },
	{ "6455 4.2.1 no Connection is refused", .connection = "", .statuses = { 400 } },
	{ "6455 4.2.1 a key of zeros",
	    .key = "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==", .statuses = { 101 } },
	{ "6455 4.2.1 a key of ones",
	    .key = "Sec-WebSocket-Key: /////////////////////w==", .statuses = { 101 } },
	{ "6455 4.2.1 a key with plus and slash",
	    .key = "Sec-WebSocket-Key: +/+/+/+/+/+/+/+/+/+/+w==", .statuses = { 101 } },
	{ "6455 4.2.1 a key in the alphabet of URLs is refused",
	    .key = "Sec-WebSocket-Key: -_-_-_-_-_-_-_-_-_-_-w==", .statuses = { 400 } },
	{ "6455 4.2.1 a key of 15 octets is refused",
	    .key = "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAA", .statuses = { 400 } },
	{ "6455 4.2.1 a key of 17 octets is refused",
	    .key = "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAAA=", .statuses = { 400 } },
	{ "6455 4.2.1 a key of 18 octets is refused",
	    .key = "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAAAA", .statuses = { 400 } },
	{ "6455 4.2.1 a key with a blank inside is refused",
	    .key = "Sec-WebSocket-Key: AAAAAAAAAA AAAAAAAAAAA==", .statuses = { 400 } },
	{ "6455 4.2.1 a key with padding inside is refused",
	    .key = "Sec-WebSocket-Key: AAAAAAAAAA==AAAAAAAAAA==", .statuses = { 400 } },
	{ "6455 4.2.1 a key in quotes is refused", .key = "Sec-WebSocket-Key: \"" KEY "\"",
	    .statuses = { 400 } },
	{ "6455 11.3.1 two different keys are refused",
	    .key = "Sec-WebSocket-Key: " KEY "\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
	    .statuses = { 400 } },
	{ "6455 4.2.1 no key is refused", .key = "", .statuses = { 400 } },
	{ "6455 4.4 no version is refused", .version = "", .statuses = { 400, 426 } },
	{ "6455 4.4 version 7 is told of 13", .version = "Sec-WebSocket-Version: 7",
	    .statuses = { 426 } },
	{ "6455 4.4 version 25 is told of 13", .version = "Sec-WebSocket-Version: 25",
	    .statuses = { 426 } },
	{ "6455 4.4 version 255 is told of 13", .version = "Sec-WebSocket-Version: 255",
	    .statuses = { 426 } },
	{ "6455 4.1 version 0013 is refused", .version = "Sec-WebSocket-Version: 0013",
	    .statuses = { 426, 400 } },
	{ "6455 4.1 version 130 is refused", .version = "Sec-WebSocket-Version: 130",
	    .statuses = { 426, 400 } },
	{ "6455 4.1 version 13.0 is refused", .version = "Sec-WebSocket-Version: 13.0",
	    .statuses = { 426, 400 } },
	{ "6455 4.1 version 13, 13 is refused", .version = "Sec-WebSocket-Version: 13, 13",
	    .statuses = { 426, 400 } },
	{ "6455 4.1 version +13 is refused", .version = "Sec-WebSocket-Version: +13",
	    .statuses = { 426, 400 } },
	{ "6455 4.1 version 13 in quotes is refused", .version = "Sec-WebSocket-Version: \"13\"",
	    .statuses = { 426, 400 } },
	{ "6455 4.1 version 1 3 is refused", .version = "Sec-WebSocket-Version: 1 3",
	    .statuses = { 426, 400 } },
	{ "6455 4.1 version 269, which is 13 in an octet, is refused",
	    .version = "Sec-WebSocket-Version: 269", .statuses = { 426, 400 } },
	{ "6455 11.3.5 two different versions are refused",
	    .version = "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Version: 8",
	    .statuses = { 400, 426 } },
	{ "6455 11.3.5 two different versions the other way round are refused",
	    .version = "Sec-WebSocket-Version: 8\r\nSec-WebSocket-Version: 13",
	    .statuses = { 400, 426 } },
	{ "6455 4.2.2 a subprotocol that nobody knows is not confirmed",
	    .more = "Sec-WebSocket-Protocol: chat, superchat", .statuses = { 101 } },
	{ "6455 4.2.2 subprotocols on two lines are not confirmed",
	    .more = "Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Protocol: superchat",
	    .statuses = { 101 } },
	{ "6455 4.1 a subprotocol with a blank inside is refused",
	    .more = "Sec-WebSocket-Protocol: a b", .statuses = { 400 } },
	{ "6455 4.1 a subprotocol with a slash is refused", .more = "Sec-WebSocket-Protocol: a/b",
	    .statuses = { 400 } },
	{ "6455 4.1 a subprotocol in quotes is refused", .more = "Sec-WebSocket-Protocol: \"a\"",
	    .statuses = { 400 } },
	{ "6455 4.1 a subprotocol with a parameter is refused",
	    .more = "Sec-WebSocket-Protocol: a;b=c", .statuses = { 400 } },
	{ "6455 4.1 a subprotocol that is not ASCII is refused",
	    .more = "Sec-WebSocket-Protocol: gr\xc3\xbc\xc3\x9f", .statuses = { 400 } },
	{ "6455 11.3.3 Sec-WebSocket-Accept of a client means nothing",
	    .more = "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", .statuses = { 101 } },
	{ "6455 10.2 Origin null where every origin may", .more = "Origin: null",
	    .statuses = { 101 } },
	{ "6455 10.2 an Origin where every origin may", .more = "Origin: https://example.com",
	    .statuses = { 101 } },
	{ "6455 4.2.1 no Origin, as of clients that are no browsers", .statuses = { 101 } },
};

static void add_line(struct opening *o, const char *line, const char *as_it_should_be)
{
	if (!line)
		line = as_it_should_be;
	if (!*line)
		return;
	octets_add(&o->request, line, strlen(line));
	octets_add(&o->request, "\r\n", 2);
}

/* The value of a header's line, without blanks; lives as long as the line. */
static const char *value_of(const char *line)
{
	line = strchr(line, ':') + 1;
	return line + strspn(line, " \t");
}

static void write_request(struct opening *o, const struct request *q)
{
	memset(o, 0, sizeof(*o));
	memcpy(o->statuses, q->statuses, sizeof(o->statuses));
	o->key = q->key && *q->key ? value_of(q->key) : KEY;
	add_line(o, q->line, "GET /echo/websocket HTTP/1.1");
	add_line(o, q->host, "Host: localhost");
	add_line(o, q->upgrade, "Upgrade: websocket");
	add_line(o, q->connection, "Connection: Upgrade");
	add_line(o, q->version, "Sec-WebSocket-Version: 13");
	add_line(o, q->key, "Sec-WebSocket-Key: " KEY);
	add_line(o, q->more, "");
}

static void end_request(struct opening *o)
{
	octets_add(&o->request, "\r\n", 2);
}

void opening_default(struct opening *o, const char *offer)
{
	static const char name[] = "Sec-WebSocket-Extensions: ";

	write_request(o, &(struct request){ .statuses = { 101 } });
	while (offer) {
		size_t n = strcspn(offer, "\n");

		octets_add(&o->request, name, sizeof(name) - 1);
		octets_add(&o->request, offer, n);
		octets_add(&o->request, "\r\n", 2);
		offer = offer[n] ? offer + n + 1 : NULL;
	}
	end_request(o);
}

void opening_free(struct opening *o)
{
	octets_free(&o->request);
}

/* --- rules ---------------------------------------------------------------------------- */

static void write_from_table(struct opening *o, const struct rule *r)
{
	write_request(o, r->data);
	end_request(o);
}

/* The order of lines means nothing. */
static void write_backwards(struct opening *o, const struct rule *r)
{
	(void)r;
	write_request(o, &(struct request){
	                     .line = "GET /echo/websocket HTTP/1.1",
	                     .host = "Sec-WebSocket-Key: " KEY,
	                     .upgrade = "Sec-WebSocket-Version: 13",
	                     .version = "Upgrade: websocket",
	                     .key = "Host: localhost",
	                     .statuses = { 101 },
	                 });
	o->key = KEY;
	end_request(o);
}

/* RFC 9112 section 2.2: an empty line before a request is skipped. */
static void write_behind_empty_line(struct opening *o, const struct rule *r)
{
	struct octets request;

	(void)r;
	opening_default(o, NULL);
	request = o->request;
	o->request = (struct octets){ 0 };
	octets_add(&o->request, "\r\n", 2);
	octets_add(&o->request, request.p, request.n);
	octets_free(&request);
}

static void play_echo(struct script *s, const struct rule *r)
{
	(void)r;
	echo_text(s, "it works");
}

static struct rule *add(
    struct catalogue *c, const char *name, void (*open)(struct opening *o, const struct rule *r))
{
	struct rule *r = rule_add(c, play_echo, "%s", name);

	r->on = ON_WIRE;
	r->open = open;
	return r;
}

void add_opening_rules(struct catalogue *c)
{
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++)
		add(c, requests[i].name, write_from_table)->data = &requests[i];
	add(c, "6455 4.2.1 headers in another order", write_backwards);
	add(c, "6455 4.2.1 an empty line before the request", write_behind_empty_line);
}
