/*
 * stomp/stomp_frame.c - the commands, the sentences about failures, and what is in a frame; see
 * stomp_frame.h.
 */
#include "stomp/stomp_frame.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "stomp/stomp_private.h"

#define NAME(literal)                                                                              \
	{                                                                                          \
		literal, sizeof(literal) - 1                                                       \
	}

/* In the order of enum stomp_command. */
static const struct bytes names[STOMP_COMMANDS] = {
	[STOMP_NONE] = NAME(""),
	[STOMP_CONNECT] = NAME("CONNECT"),
	[STOMP_STOMP] = NAME("STOMP"),
	[STOMP_SEND] = NAME("SEND"),
	[STOMP_SUBSCRIBE] = NAME("SUBSCRIBE"),
	[STOMP_UNSUBSCRIBE] = NAME("UNSUBSCRIBE"),
	[STOMP_ACK] = NAME("ACK"),
	[STOMP_NACK] = NAME("NACK"),
	[STOMP_BEGIN] = NAME("BEGIN"),
	[STOMP_COMMIT] = NAME("COMMIT"),
	[STOMP_ABORT] = NAME("ABORT"),
	[STOMP_DISCONNECT] = NAME("DISCONNECT"),
	[STOMP_CONNECTED] = NAME("CONNECTED"),
	[STOMP_MESSAGE] = NAME("MESSAGE"),
	[STOMP_RECEIPT] = NAME("RECEIPT"),
	[STOMP_ERROR] = NAME("ERROR"),
};

static const struct {
	enum stomp_error error;
	const char *why;
} failures[] = {
	[STOMP_NUL_IN_HEAD] = { STOMP_E_MALFORMED,
	    "a NUL stands in the head: the blank line behind the headers is missing" },
	[STOMP_LINE_TOO_LONG] = { STOMP_E_TOO_LARGE, "a line of the head is too long" },
	[STOMP_HEAD_TOO_LARGE] = { STOMP_E_TOO_LARGE, "the command and the headers are too large" },
	[STOMP_TOO_MANY_HEADERS] = { STOMP_E_TOO_LARGE, "the frame has too many headers" },
	[STOMP_NO_COLON] = { STOMP_E_MALFORMED, "a header line has no colon" },
	[STOMP_NO_NAME] = { STOMP_E_MALFORMED, "a header line has no name before its colon" },
	[STOMP_NO_COMMAND] = { STOMP_E_UNKNOWN_COMMAND,
	    "the first line is no STOMP command, in capital letters and alone" },
	[STOMP_CR_IN_COMMAND] = { STOMP_E_UNKNOWN_COMMAND,
	    "a carriage return ends the command, which only STOMP 1.2 allows" },
	[STOMP_CR_IN_BLANK_LINE] = { STOMP_E_MALFORMED,
	    "a carriage return stands in the blank line, which only STOMP 1.2 allows" },
	[STOMP_CR_BETWEEN_FRAMES] = { STOMP_E_UNKNOWN_COMMAND,
	    "a carriage return stands between frames, which only STOMP 1.2 allows" },
	[STOMP_CR_ALONE] = { STOMP_E_UNKNOWN_COMMAND,
	    "a carriage return without a line feed stands between frames" },
	[STOMP_ODD_ESCAPE] = { STOMP_E_MALFORMED,
	    "a header has a backslash before an octet with which it makes no escape" },
	[STOMP_NO_ESCAPE] = { STOMP_E_MALFORMED, "a header ends in a lone backslash" },
	[STOMP_NOT_UTF8] = { STOMP_E_MALFORMED, "the head is not UTF-8" },
	[STOMP_SURROGATE] = { STOMP_E_MALFORMED,
	    "the head is not UTF-8: half of a UTF-16 surrogate pair stands alone in it" },
	[STOMP_BAD_LENGTH] = { STOMP_E_MALFORMED, "content-length is not a number of octets" },
	[STOMP_LENGTH_TOO_LARGE] = { STOMP_E_TOO_LARGE,
	    "content-length announces a body that is too large" },
	[STOMP_BODY_TOO_LARGE] = { STOMP_E_TOO_LARGE, "the body is too large" },
	[STOMP_BODY_FORBIDDEN] = { STOMP_E_UNEXPECTED_BODY,
	    "only SEND, MESSAGE and ERROR may have a body" },
	[STOMP_NUL_MISSING] = { STOMP_E_MALFORMED,
	    "no NUL stands behind the octets that content-length announces" },
	[STOMP_NUL_LATER] = { STOMP_E_MALFORMED,
	    "the body is some octets longer than content-length says: the client counts characters "
	    "instead of octets, or splits large frames within a UTF-16 surrogate pair "
	    "(splitLargeFrames of stompjs)" },
	[STOMP_OBJECT_AS_TEXT] = { STOMP_E_BINARY_AS_TEXT,
	    "a binary frame has become the name of its type: SockJS carries text alone, binary "
	    "needs a WebSocket" },
	[STOMP_OCTETS_AS_TEXT] = { STOMP_E_BINARY_AS_TEXT,
	    "a binary frame has become a list of numbers (forceBinaryWSFrames of stompjs): SockJS "
	    "carries text alone, binary needs a WebSocket" },
	[STOMP_NO_MEMORY] = { STOMP_E_INTERNAL, "the server is out of memory" },
};

const char *stomp_command_name(enum stomp_command command)
{
	return names[command].p;
}

enum stomp_command stomp_command_of(struct bytes name)
{
	for (int i = STOMP_NONE + 1; i < STOMP_COMMANDS; i++) /* none has no octets */
		if (name.n == names[i].n && name.p[0] == names[i].p[0] &&
		    bytes_equal(name, names[i]))
			return (enum stomp_command)i;
	return STOMP_NONE;
}

void stomp_frame_fail(struct stomp_frame *f, enum stomp_failure failure, enum stomp_version version)
{
	f->command = STOMP_NONE;
	f->error = failures[failure].error;
	f->why = failures[failure].why;
	if (failure != STOMP_ODD_ESCAPE || f->odd < '!' || f->odd > '~')
		return;
	snprintf(f->sentence, sizeof(f->sentence),
	    "a header has the escape \\%c, which STOMP 1.%c does not know", f->odd,
	    version == STOMP_1_1 ? '1' : '2');
	f->why = f->sentence;
}

void stomp_frame_init(struct stomp_frame *f)
{
	f->command = STOMP_NONE;
	f->header_count = 0;
	f->kept = NULL;
	f->unescaped = f->answer = BUF_INIT;
}

void stomp_frame_fini(struct stomp_frame *f)
{
	mem_free(f->kept);
	f->kept = NULL;
	buf_fini(&f->unescaped);
	buf_fini(&f->answer);
}

struct bytes stomp_header_find(const struct stomp_frame *f, struct bytes name)
{
	for (size_t i = 0; i < f->header_count; i++) {
		const struct stomp_header *h = &f->headers[i];

		if (h->name.n == name.n && memcmp(h->name.p, name.p, name.n) == 0)
			return h->value;
	}
	return (struct bytes){ NULL, 0 };
}
