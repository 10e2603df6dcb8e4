/*
 * http/http_head.c - response heads as text; see http_head.h.
 */
#include "http/http_head.h"

#include <microhttpd.h>
#include <time.h>

#define YEAR_SECONDS 31536000

void http_head_init(struct http_head *head, unsigned status)
{
	head->status = status;
	head->is_cut = false;
	head->more = (struct bytes){ NULL, 0 };
	head->len = 0;
}

void http_head_add_lines(struct http_head *head, struct bytes lines)
{
	if (lines.n > sizeof(head->text) - head->len) {
		head->is_cut = true;
		return;
	}
	bytes_put(head->text + head->len, lines);
	head->len += lines.n;
}

void http_head_add_bytes(struct http_head *head, const char *name, struct bytes value)
{
	size_t name_len = strlen(name);
	char *to = head->text + head->len;

	if (name_len + value.n + 4 > sizeof(head->text) - head->len) {
		head->is_cut = true;
		return;
	}
	memcpy(to, name, name_len);
	memcpy(to + name_len, ": ", 2);
	bytes_put(to + name_len + 2, value);
	memcpy(to + name_len + 2 + value.n, "\r\n", 2);
	head->len += name_len + value.n + 4;
}

void http_head_add(struct http_head *head, const char *name, const char *value)
{
	http_head_add_bytes(head, name, bytes_of(value));
}

void http_head_never_cache(struct http_head *head)
{
	http_head_add_lines(head,
	    BYTES(
	        "Cache-Control: no-store, no-cache, no-transform, must-revalidate, max-age=0\r\n"));
}

/* "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110 section 5.6.7); the C locale is never changed by us. */
static size_t format_date(char *out, size_t size, time_t when)
{
	struct tm tm;

	gmtime_r(&when, &tm);
	return strftime(out, size, "%a, %d %b %Y %H:%M:%S GMT", &tm);
}

static void expire_in_a_year(struct http_head *head)
{
	char text[64];

	format_date(text, sizeof(text), time(NULL) + YEAR_SECONDS);
	http_head_add(head, "Expires", text);
}

void http_head_cache_for_a_year(struct http_head *head)
{
	http_head_add(head, "Cache-Control", "public, max-age=31536000");
	expire_in_a_year(head);
}

void http_head_cache_but_ask(struct http_head *head)
{
	http_head_add(head, "Cache-Control", "public, max-age=31536000, no-cache");
	expire_in_a_year(head);
}

/* The Date line, formatted once a second per thread. */
static struct bytes date_line(void)
{
	static _Thread_local char line[64];
	static _Thread_local size_t len;
	static _Thread_local time_t of;
	time_t now = time(NULL);

	if (now != of || len == 0) {
		memcpy(line, "Date: ", 6);
		len = 6 + format_date(line + 6, sizeof(line) - 8, now);
		memcpy(line + len, "\r\n", 2);
		len += 2;
		of = now;
	}
	return (struct bytes){ line, len };
}

/* snprintf(3) would be a third of all the work for a short answer. */
static char *append_number(char *to, unsigned long long n)
{
	char digits[20], *at = digits + sizeof(digits);

	do
		*--at = (char)('0' + n % 10);
	while ((n /= 10) > 0);
	return bytes_put(to, (struct bytes){ at, (size_t)(digits + sizeof(digits) - at) });
}

static char *append_status(char *to, unsigned status)
{
	if (status == 200)
		return bytes_put(to, BYTES("HTTP/1.1 200 OK\r\n"));
	if (status == 204)
		return bytes_put(to, BYTES("HTTP/1.1 204 No Content\r\n"));
	to = append_number(bytes_put(to, BYTES("HTTP/1.1 ")), status);
	to = bytes_put(bytes_put(to, BYTES(" ")), bytes_of(http_reason(status)));
	return bytes_put(to, BYTES("\r\n"));
}

size_t http_head_render_parts(char *out, unsigned status, struct bytes lines, struct bytes more,
    struct http_framing framing)
{
	char *to = append_status(out, status);

	to = bytes_put(to, date_line());
	to = bytes_put(bytes_put(to, lines), more);
	if (!framing.keep_alive)
		to = bytes_put(to, BYTES("Connection: close\r\n"));
	else if (framing.is_1_0)
		to = bytes_put(to, BYTES("Connection: keep-alive\r\n"));
	if (framing.length >= 0) {
		to = bytes_put(to, BYTES("Content-Length: "));
		to = append_number(to, (unsigned long long)framing.length);
		to = bytes_put(to, BYTES("\r\n"));
	} else if (framing.chunked) {
		to = bytes_put(to, BYTES("Transfer-Encoding: chunked\r\n"));
	}
	to = bytes_put(to, BYTES("\r\n"));
	return (size_t)(to - out);
}

size_t http_head_render(char *out, unsigned status, struct bytes lines, struct http_framing framing)
{
	return http_head_render_parts(out, status, lines, (struct bytes){ 0 }, framing);
}

const char *http_reason(unsigned status)
{
	const char *phrase = MHD_get_reason_phrase_for(status);

	return phrase && strlen(phrase) < 64 ? phrase : "Unknown";
}
