/*
 * daemon/api_client.c - one request by libcurl; see api_client.h.
 *
 * What is on the other side may be anything: an answer has its limit, and each wait a deadline.
 */
#include "daemon/api_client.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "base/buf.h"

#define WAIT_S     30L
#define ANSWER_MAX ((size_t)4 << 20)

__attribute__((format(printf, 4, 5))) static int fail(
    char *why, size_t size, int err, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(why, size, format, ap);
	va_end(ap);
	return err;
}

/* --- where ------------------------------------------------------------------- */

static int copy(char *to, size_t size, const char *from, size_t n)
{
	if (n == 0 || n >= size)
		return -EINVAL;
	memcpy(to, from, n);
	to[n] = '\0';
	return 0;
}

/* HOST:PORT, with what may follow in a URL. */
static int parse_host(struct api_target *out, const char *text)
{
	const char *slash = strchr(text, '/'), *end = slash ? slash : text + strlen(text), *colon;

	if (text[0] == '[') {
		colon = memchr(text, ']', (size_t)(end - text));
		if (!colon ||
		    copy(out->host, sizeof(out->host), text + 1, (size_t)(colon - text - 1)) < 0)
			return -EINVAL;
		colon++;
	} else {
		colon = memchr(text, ':', (size_t)(end - text));
		if (!colon || copy(out->host, sizeof(out->host), text, (size_t)(colon - text)) < 0)
			return -EINVAL;
	}
	if (colon == end || *colon != ':' ||
	    copy(out->port, sizeof(out->port), colon + 1, (size_t)(end - colon - 1)) < 0 ||
	    out->port[strspn(out->port, "0123456789")] || atoi(out->port) == 0 ||
	    atoi(out->port) > 65535)
		return -EINVAL;
	if (!slash || slash[1] == '\0')
		return 0;
	return strpbrk(slash, " ?#\r\n\t")
	           ? -EINVAL
	           : copy(out->prefix, sizeof(out->prefix), slash, strlen(slash));
}

static bool begins_with(const char *text, const char *start)
{
	return strncmp(text, start, strlen(start)) == 0;
}

static int parse(struct api_target *out, const char *text)
{
	struct sockaddr_un un;

	if (begins_with(text, "unix:"))
		return copy(out->host, sizeof(un.sun_path), text + 5, strlen(text + 5));
	if (begins_with(text, "http://"))
		return parse_host(out, text + 7);
	if (!begins_with(text, "https://"))
		return parse_host(out, text);
	out->is_tls = true;
	return parse_host(out, text + 8);
}

int api_target_parse(
    struct api_target *out, const char *text, bool wants_tls, char *why, size_t size)
{
	int err;

	memset(out, 0, sizeof(*out));
	out->is_tls = wants_tls;
	err = parse(out, text);
	if (err < 0)
		return fail(why, size, err,
		    "\"%.200s\" is no internal address; allowed: http://HOST:PORT, "
		    "https://HOST:PORT, HOST:PORT, [V6]:PORT or unix:PATH",
		    text);
	if (wants_tls && begins_with(text, "http://"))
		return fail(why, size, -EINVAL,
		    "\"%.200s\" is an address without TLS; say https:// with --ca, --cert and "
		    "--cert-key",
		    text);
	return 0;
}

/* --- what is asked ------------------------------------------------------------- */

/* One request, while it is under way. */
struct exchange {
	const struct api_target *to;
	CURL *easy;
	struct curl_slist *lines;
	struct buf url, *answer;
	char complaint[CURL_ERROR_SIZE]; /* libcurl's */
};

static int write_url(struct buf *out, const struct api_target *to, const char *path)
{
	bool is_v6 = to->port[0] && strchr(to->host, ':');
	const char *scheme = to->is_tls ? "https" : "http";
	int err;

	if (!to->port[0])
		err = buf_printf(out, "%s://localhost%s", scheme, path);
	else
		err = buf_printf(out, "%s://%s%s%s:%s%s%s", scheme, is_v6 ? "[" : "", to->host,
		    is_v6 ? "]" : "", to->port, to->prefix, path);
	return err < 0 ? err : buf_add(out, "", 1);
}

static int add_line(struct exchange *x, const char *line)
{
	struct curl_slist *longer = curl_slist_append(x->lines, line);

	if (!longer)
		return -ENOMEM;
	x->lines = longer;
	return 0;
}

static int add_lines(struct exchange *x, const struct buf *body, const char *token)
{
	struct buf line = BUF_INIT;
	int err = add_line(x, "Connection: close");

	if (err == 0 && body)
		err = add_line(x, "Content-Type: application/json");
	err = err ? err : add_line(x, "Expect:"); /* nobody has to be asked whether we may */
	if (err == 0 && token && *token) {
		err = buf_printf(&line, "Authorization: Bearer %s", token);
		err = err ? err : buf_add(&line, "", 1);
		err = err ? err : add_line(x, buf_data(&line));
		if (buf_len(&line))
			explicit_bzero((char *)buf_data(&line), buf_len(&line));
	}
	buf_fini(&line);
	return err;
}

static size_t on_data(char *data, size_t size, size_t count, void *arg)
{
	struct exchange *x = arg;
	size_t n = size * count;

	if (buf_len(x->answer) + n > ANSWER_MAX || buf_add(x->answer, data, n) < 0)
		return 0;
	return n;
}

/* Whoever has one of the pinned keys is the one that is meant, by whatever name he is reached and
 * whoever has signed it. */
static void set_tls(struct exchange *x)
{
	const struct api_target *to = x->to;

	if (to->ca)
		curl_easy_setopt(x->easy, CURLOPT_CAINFO, to->ca);
	if (to->pins) {
		curl_easy_setopt(x->easy, CURLOPT_PINNEDPUBLICKEY, to->pins);
		curl_easy_setopt(x->easy, CURLOPT_SSL_VERIFYPEER, 0L);
		curl_easy_setopt(x->easy, CURLOPT_SSL_VERIFYHOST, 0L);
	}
	if (to->certificate) {
		curl_easy_setopt(x->easy, CURLOPT_SSLCERT, to->certificate);
		curl_easy_setopt(x->easy, CURLOPT_SSLKEY, to->key ? to->key : to->certificate);
	}
}

/* What the environment says of proxies is for the web, not for operators. */
static void set_all(struct exchange *x, const struct buf *body)
{
	long wait_s = x->to->wait_s ? x->to->wait_s : WAIT_S;

	curl_easy_setopt(x->easy, CURLOPT_URL, buf_data(&x->url));
	if (!x->to->port[0])
		curl_easy_setopt(x->easy, CURLOPT_UNIX_SOCKET_PATH, x->to->host);
	curl_easy_setopt(x->easy, CURLOPT_PROXY, "");
	curl_easy_setopt(x->easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(x->easy, CURLOPT_HTTPHEADER, x->lines);
	if (body) {
		curl_easy_setopt(x->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)buf_len(body));
		curl_easy_setopt(
		    x->easy, CURLOPT_POSTFIELDS, buf_len(body) ? buf_data(body) : "");
	}
	curl_easy_setopt(x->easy, CURLOPT_WRITEFUNCTION, on_data);
	curl_easy_setopt(x->easy, CURLOPT_WRITEDATA, x);
	curl_easy_setopt(x->easy, CURLOPT_ERRORBUFFER, x->complaint);
	curl_easy_setopt(x->easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(x->easy, CURLOPT_CONNECTTIMEOUT, wait_s);
	curl_easy_setopt(x->easy, CURLOPT_TIMEOUT, (long)x->to->wait_s); /* 0: as long as something comes */
	curl_easy_setopt(x->easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
	curl_easy_setopt(x->easy, CURLOPT_LOW_SPEED_TIME, wait_s);
	if (x->to->is_tls)
		set_tls(x);
}

/* --- what became of it ---------------------------------------------------------- */

/* What the kernel has said, where it has. */
static const char *reason_of(const struct exchange *x, CURLcode code)
{
	long number = 0;

	curl_easy_getinfo(x->easy, CURLINFO_OS_ERRNO, &number);
	if (code == CURLE_COULDNT_CONNECT && number != 0)
		return strerror((int)number);
	return x->complaint[0] ? x->complaint : curl_easy_strerror(code);
}

static int explain(const struct exchange *x, CURLcode code, char *why, size_t size)
{
	const char *host = x->to->host, *colon = x->to->port[0] ? ":" : "", *port = x->to->port;
	const char *reason = reason_of(x, code);

	switch (code) {
	case CURLE_COULDNT_CONNECT:
	case CURLE_COULDNT_RESOLVE_HOST:
		return fail(why, size, -EIO, "cannot connect to %s%s%s: %s", host, colon, port,
		    reason);
	case CURLE_OPERATION_TIMEDOUT:
		return fail(why, size, -EIO, "no answer: it takes too long");
	case CURLE_WRITE_ERROR:
		return fail(why, size, -EIO, "the answer is too large");
	case CURLE_UNSUPPORTED_PROTOCOL:
	case CURLE_WEIRD_SERVER_REPLY:
	case CURLE_GOT_NOTHING:
		return fail(why, size, -EPROTO, "what answers there does not speak HTTP");
	case CURLE_PEER_FAILED_VERIFICATION:
		return fail(why, size, -EIO,
		    "the certificate of %s%s%s is not believed: %s (--ca FILE says who may sign "
		    "it)",
		    host, colon, port, reason);
	case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
		return fail(why, size, -EIO,
		    "%s%s%s has another certificate than the configuration says in internal.tls",
		    host, colon, port);
	case CURLE_SSL_CACERT_BADFILE:
		return fail(why, size, -EIO, "cannot use --ca %s: %s", x->to->ca, reason);
	case CURLE_SSL_CERTPROBLEM:
		return fail(why, size, -EIO, "cannot use --cert %s: %s", x->to->certificate, reason);
	default:
		return fail(why, size, -EIO, "no answer: %s", reason);
	}
}

static int perform(struct exchange *x, char *why, size_t size)
{
	CURLcode code = curl_easy_perform(x->easy);
	long status = 0;

	curl_easy_getinfo(x->easy, CURLINFO_RESPONSE_CODE, &status);
	if (code == CURLE_SEND_ERROR && status >= 400)
		return (int)status; /* it did not read all of what it has refused */
	return code == CURLE_OK ? (int)status : explain(x, code, why, size);
}

/* Without a body it is a GET. */
static int ask(const struct api_target *to, const char *path, const char *token,
    const struct buf *body, struct buf *answer, char *why, size_t size)
{
	struct exchange x = { .to = to, .url = BUF_INIT, .answer = answer };
	int status;

	x.easy = curl_easy_init();
	if (!x.easy || write_url(&x.url, to, path) < 0 || add_lines(&x, body, token) < 0) {
		status = fail(why, size, -ENOMEM, "out of memory");
	} else {
		set_all(&x, body);
		status = perform(&x, why, size);
	}
	curl_slist_free_all(x.lines);
	curl_easy_cleanup(x.easy);
	buf_fini(&x.url);
	return status;
}

int api_post(const struct api_target *to, const char *path, const char *token,
    const struct buf *body, struct buf *answer, char *why, size_t size)
{
	return ask(to, path, token, body, answer, why, size);
}

int api_get(
    const struct api_target *to, const char *path, struct buf *answer, char *why, size_t size)
{
	return ask(to, path, NULL, NULL, answer, why, size);
}
