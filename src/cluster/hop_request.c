/*
 * cluster/hop_request.c - a request on its way to another gateway, and what that one reads of it; see hop_request.h.
 */
#include "cluster/hop_request.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <string.h>

#include "base/field.h"

/* --- writing ------------------------------------------------------------------------------------ */

struct writing {
	struct buf *out;
	struct bytes connection; /* which other fields are between two ends alone */
	int err;
};

/* Those that end here, or that we write ourselves. */
static bool is_ours(struct bytes name)
{
	static const char *const names[] = { "Host", "Connection", "Keep-Alive", "Proxy-Connection", "TE", "Trailer",
		"Transfer-Encoding", "Upgrade", "Expect", "Content-Length", HOP_HEADER };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (bytes_equal_nocase(name, bytes_of(names[i])))
			return true;
	return false;
}

static bool is_of_connection(struct bytes list, struct bytes name)
{
	struct bytes element;

	while (field_next(&list, ',', &element))
		if (bytes_equal_nocase(element, name))
			return true;
	return false;
}

static void add(struct writing *w, struct bytes text)
{
	if (w->err == 0 && text.n > 0)
		w->err = buf_add(w->out, text.p, text.n);
}

static void add_field(struct bytes name, struct bytes value, void *arg)
{
	struct writing *w = arg;

	if (is_ours(name) || is_of_connection(w->connection, name))
		return;
	add(w, name);
	add(w, BYTES(": "));
	add(w, value);
	add(w, BYTES("\r\n"));
}

static void add_line(struct writing *w, struct http_request *r)
{
	struct bytes query = http_request_query(r);

	add(w, http_request_method_name(r));
	add(w, BYTES(" "));
	add(w, http_request_path(r));
	if (query.n > 0)
		add(w, BYTES("?"));
	add(w, query);
	add(w, http_request_is_1_1(r) ? BYTES(" HTTP/1.1\r\n") : BYTES(" HTTP/1.0\r\n"));
}

static void add_client(struct writing *w, const struct hop_client *client, const char *secret)
{
	char address[ADDR_TEXT_MAX];

	if (client->host.n > 0) {
		add(w, BYTES("Host: "));
		add(w, client->host);
		add(w, BYTES("\r\n"));
	}
	add(w, BYTES(HOP_HEADER ": "));
	add(w, bytes_of(secret));
	add(w, BYTES(" client="));
	add(w, bytes_of(addr_print(&client->address, true, address)));
	add(w, client->is_tls ? BYTES(" tls") : BYTES(""));
	add(w, client->is_proxied ? BYTES(" proxied") : BYTES(""));
	if (client->fingerprint.n > 0) {
		add(w, BYTES(" fingerprint="));
		add(w, client->fingerprint);
		add(w, BYTES(" subject="));
		add(w, client->subject);
	}
	add(w, BYTES("\r\n"));
}

int hop_request_add(struct buf *out, struct http_request *r, const struct hop_client *client, const char *secret)
{
	struct writing w = { out, http_request_header(r, HTTP_CONNECTION), 0 };
	size_t n;
	char *body = http_request_body(r, &n);

	add_line(&w, r);
	add_client(&w, client, secret);
	http_request_each_header(r, add_field, &w);
	if (w.err == 0 && (n > 0 || http_request_method(r) == HTTP_POST))
		w.err = buf_printf(out, "Content-Length: %zu\r\n", n);
	add(&w, BYTES("\r\n"));
	add(&w, (struct bytes){ body, n });
	return w.err;
}

/* --- reading ------------------------------------------------------------------------------------ */

/* In a time that does not tell how much of it is right. */
static bool take_secret(struct bytes *rest, const char *secret)
{
	size_t n = strlen(secret);

	if (rest->n < n || CRYPTO_memcmp(rest->p, secret, n) != 0)
		return false;
	rest->p += n;
	rest->n -= n;
	return true;
}

static bool take(struct bytes *rest, const char *what)
{
	size_t n = strlen(what);

	if (rest->n < n || memcmp(rest->p, what, n) != 0)
		return false;
	rest->p += n;
	rest->n -= n;
	return true;
}

static struct bytes take_value(struct bytes *rest)
{
	const char *blank = rest->n ? memchr(rest->p, ' ', rest->n) : NULL;
	struct bytes value = { rest->p, blank ? (size_t)(blank - rest->p) : rest->n };

	rest->p += value.n;
	rest->n -= value.n;
	return value;
}

/* As addr_print() writes it. */
static bool read_address(struct bytes text, struct addr *out)
{
	if (bytes_equal(text, BYTES("unix"))) {
		*out = (struct addr){ .family = AF_UNIX };
		return true;
	}
	if (gateway_address_read(text, out))
		return true;
	/* A proxy may have told no port: then it is 0 */
	if (text.n > 2 && memcmp(text.p + text.n - 2, ":0", 2) == 0)
		text.n -= 2;
	return addr_parse_ip(text, out) == 0;
}

bool hop_client_read(struct bytes value, const char *secret, struct hop_client *client)
{
	*client = (struct hop_client){ 0 };
	if (!*secret || !take_secret(&value, secret) || !take(&value, " client=") ||
	    !read_address(take_value(&value), &client->address))
		return false;
	client->is_tls = take(&value, " tls");
	client->is_proxied = take(&value, " proxied");
	if (take(&value, " fingerprint=")) {
		client->fingerprint = take_value(&value);
		if (!take(&value, " subject="))
			return false;
		client->subject = value;
		value.n = 0;
	}
	return value.n == 0;
}
