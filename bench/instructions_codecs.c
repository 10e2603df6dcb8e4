/*
 * bench/instructions_codecs.c - instructions per byte of what reads every byte:
 * UTF-8, masking, JSON strings in and out, frames of STOMP in and out.
 *
 *	valgrind --tool=callgrind --callgrind-out-file=FILE instructions_codecs [SIZE]...
 *
 * Runs each codec over each kind of text at each size and asks callgrind for a
 * dump of its own after each, whose "desc: Trigger" line names CODEC TEXT SIZE and how many bytes
 * were read; bench/instructions makes a table of them. Without valgrind it runs, and counts
 * nothing.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if __has_include(<valgrind/callgrind.h>)
#include <valgrind/callgrind.h>
#else
#define CALLGRIND_TOGGLE_COLLECT      ((void)0)
#define CALLGRIND_DUMP_STATS_AT(name) ((void)(name))
#endif

#include "base/utf8.h"
#include "session/sockjs_frame.h"
#include "session/sockjs_payload.h"
#include "stomp/stomp_frame.h"
#include "ws/ws_frame.h"

enum { ROUNDS = 4, SIZES_MAX = 16, SIZE_MAX_BYTES = 1 << 20 };

/* --- texts: a piece, again and again ------------------------------------------------ */

static const struct {
	const char *name, *piece;
} texts[] = {
	{ "ascii", "The quick brown fox jumps over the lazy dog, again and again; 0123456789. " },
	{ "latin", "Voix ambigu\xc3\xab d'un c\xc5\x93ur qui au z\xc3\xa9phyr pr\xc3\xa9"
	           "f\xc3\xa8re les jattes de kiwis. " },
	{ "cyrillic", "\xd0\xa1\xd1\x8a\xd0\xb5\xd1\x88\xd1\x8c \xd0\xb5\xd1\x89\xd1\x91 "
	              "\xd1\x8d\xd1\x82\xd0\xb8\xd1\x85 "
	              "\xd0\xbc\xd1\x8f\xd0\xb3\xd0\xba\xd0\xb8\xd1\x85 "
	              "\xd0\xb1\xd1\x83\xd0\xbb\xd0\xbe\xd0\xba, " },
	{ "cjk", "\xe6\x95\x8f\xe6\x8d\xb7\xe7\x9a\x84\xe6\xa3\x95\xe8\x89\xb2\xe7\x8b\x90"
	         "\xe7\x8b\xb8\xe8\xb7\xb3\xe8\xbf\x87\xe4\xba\x86\xe6\x87\x92\xe7\x8b\x97"
	         "\xef\xbc\x8c\xe4\xb8\x80\xe6\xac\xa1\xe5\x8f\x88\xe4\xb8\x80\xe6\xac\xa1"
	         "\xe3\x80\x82" },
	{ "emoji", "\xf0\x9f\x98\x80\xf0\x9f\x9a\x80\xf0\x9f\x8e\x89 ok "
	           "\xf0\x9f\x91\x8d\xf0\x9f\x8f\xbd\xf0\x9f\x90\xb6" },
	{ "escapes", "{\"path\":\"C:\\\\dir\\\\file\",\n\t\"q\":\"\\\"\",\r\n\"n\":1}\n" },
};
enum { TEXTS = sizeof(texts) / sizeof(*texts) };

/* Whole characters up to `n` octets, then spaces. */
static void fill(char *out, size_t n, const char *piece)
{
	size_t len = strlen(piece), at = 0, i = 0;

	while (at < n) {
		size_t step = 1;

		while (((unsigned char)piece[i + step] & 0xc0) == 0x80)
			step++;
		if (at + step > n)
			break;
		memcpy(out + at, piece + i, step);
		at += step;
		i = (i + step) % len;
	}
	memset(out + at, ' ', n - at);
}

/* --- codecs --------------------------------------------------------------------------- */

static char text[SIZE_MAX_BYTES], *source, *scratch;
static size_t source_len;
static struct message *message;
static struct sockjs_payload payload;
static struct buf frame;
static struct stomp_frame stomp;

static void must(bool truth, const char *what)
{
	if (truth)
		return;
	fprintf(stderr, "instructions_codecs: %s is wrong\n", what);
	exit(1);
}

static void run_utf8(void)
{
	must(utf8_is_valid(source, source_len), "utf8");
}

static void run_mask(void)
{
	static const uint8_t key[4] = { 0x37, 0xfa, 0x21, 0x3d };

	ws_mask(scratch, source_len, key, 0);
}

static void run_decode(void)
{
	must(sockjs_payload_decode(&payload, scratch, source_len, true, 0, 0) == SOCKJS_PAYLOAD_OK,
	    "decode");
}

static void run_encode(void)
{
	frame.start = frame.end = 0;
	must(sockjs_frame_array_add(&frame, &message, 1) == 0, "encode");
}

/* One frame, of which the text is the body; octets of its head are counted with those. */
static void run_stomp_read(void)
{
	static const struct stomp_limits limits = { 64, 4096, 16384, SIZE_MAX_BYTES };
	struct stomp_parser parser;

	stomp_parser_init(&parser, &limits);
	parser.version = STOMP_1_2;
	must(stomp_parse(&parser, scratch, source_len, &stomp) == (ssize_t)source_len &&
	         stomp.command == STOMP_SEND,
	    "stomp-read");
	stomp_parser_fini(&parser);
}

static void run_stomp_write(void)
{
	frame.start = frame.end = 0;
	must(
	    stomp_write_begin(&frame, STOMP_MESSAGE) == 0 &&
	        stomp_write_header(&frame, STOMP_1_2, BYTES("subscription"), BYTES("sub-0")) == 0 &&
	        stomp_write_header(
	            &frame, STOMP_1_2, BYTES("destination"), BYTES("/topic/bench")) == 0 &&
	        stomp_write_end(&frame, (struct bytes){ scratch, source_len }) == 0,
	    "stomp-write");
}

static const struct {
	const char *name;
	void (*run)(void);
	bool quoted; /* works on the text as a JSON string */
	bool alike;  /* does not mind which text */
	bool framed; /* works on it as the body of a SEND */
} codecs[] = {
	{ .name = "utf8", .run = run_utf8 },
	{ .name = "mask", .run = run_mask, .alike = true },
	{ .name = "decode", .run = run_decode, .quoted = true },
	{ .name = "encode", .run = run_encode },
	{ .name = "stomp-read", .run = run_stomp_read, .alike = true, .framed = true },
	{ .name = "stomp-write", .run = run_stomp_write, .alike = true },
};
enum { CODECS = sizeof(codecs) / sizeof(*codecs) };

/* --- counting --------------------------------------------------------------------------- */

static size_t send_of(char *out, const char *body, size_t n)
{
	size_t head = (size_t)sprintf(
	    out, "SEND\ndestination:/topic/bench\nreceipt:message-1\ncontent-length:%zu\n\n", n);

	memcpy(out + head, body, n);
	out[head + n] = '\0';
	return head + n + 1;
}

static void prepare(size_t codec, size_t n)
{
	source_len = n;
	memcpy(source, text, n);
	if (codecs[codec].framed)
		source_len = send_of(source, text, n);
	if (codecs[codec].quoted)
		source_len = (size_t)(sockjs_frame_quote(source, text, n) - source);
	message = message_new(text, n, false, false);
	must(message != NULL, "memory");
}

static void measure(size_t codec, size_t kind, size_t n)
{
	char name[64];

	fill(text, n, texts[kind].piece);
	prepare(codec, n);
	snprintf(name, sizeof(name), "%s %s %zu %zu", codecs[codec].name, texts[kind].name, n,
	    ROUNDS * n);
	memcpy(scratch, source, source_len);
	codecs[codec].run(); /* what is bound or grown at the first time */
	for (int i = 0; i < ROUNDS; i++) {
		memcpy(scratch, source, source_len);
		CALLGRIND_TOGGLE_COLLECT;
		codecs[codec].run();
		CALLGRIND_TOGGLE_COLLECT;
	}
	CALLGRIND_DUMP_STATS_AT(name);
	message_unref(message);
}

int main(int argc, char **argv)
{
	static const size_t usual[] = { 64, 1024, 16384, 1 << 20 };

	source = malloc(sockjs_frame_quote_max(SIZE_MAX_BYTES));
	scratch = malloc(sockjs_frame_quote_max(SIZE_MAX_BYTES));
	must(source && scratch, "memory");
	sockjs_payload_init(&payload);
	stomp_frame_init(&stomp);
	for (size_t codec = 0; codec < CODECS; codec++)
		for (size_t kind = 0; kind < (codecs[codec].alike ? 1 : TEXTS); kind++) {
			for (size_t i = 0; argc < 2 && i < sizeof(usual) / sizeof(*usual); i++)
				measure(codec, kind, usual[i]);
			for (int i = 1; i < argc; i++) {
				size_t n = strtoul(argv[i], NULL, 10);

				must(n > 0 && n <= SIZE_MAX_BYTES, argv[i]);
				measure(codec, kind, n);
			}
		}
	sockjs_payload_fini(&payload);
	stomp_frame_fini(&stomp);
	buf_fini(&frame);
	free(source);
	free(scratch);
	return 0;
}
