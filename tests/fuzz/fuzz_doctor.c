/*
 * tests/fuzz/fuzz_doctor.c - what `sockjsd doctor` reads of a server (checkup/answer.h, frames.h,
 * gunzip.h, talk.h).
 *
 * Input: an octet that chooses the wrapping, and what the server sends. The same frames are found
 * whether it comes at once or octet by octet.
 */
#include <string.h>

#include "checkup/answer.h"
#include "checkup/frames.h"
#include "checkup/gunzip.h"
#include "checkup/talk.h"
#include "tests/fuzz/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

struct reader {
	struct answer answer;
	struct gunzip *gunzip;
	struct frames frames;
	struct buf in, found; /* frames, a line end behind each */
	bool is_broken;
};

static void take(struct reader *r, struct bytes data)
{
	struct saw_facts saw = { 0 };
	struct bytes frame;

	if (r->is_broken || frames_feed(&r->frames, data) < 0) {
		r->is_broken = true;
		return;
	}
	while (frames_next(&r->frames, &frame)) {
		must(frame.n > 0);
		must(talk_read(frame, &saw).id >= -1 || frame.n > 0);
		must(saw.count <= FACT_HEADERS && memchr(saw.host, '\0', sizeof(saw.host)));
		must(buf_add(&r->found, frame.p, frame.n) == 0 && buf_add(&r->found, "\n", 1) == 0);
	}
}

static void decompress(struct reader *r, struct bytes in)
{
	struct bytes out;
	int more = 1;

	while (more > 0) {
		more = gunzip_next(r->gunzip, &in, &out);
		must(out.n <= 16384);
		take(r, out);
	}
	r->is_broken |= more < 0;
}

static void read_more(struct reader *r, const uint8_t *p, size_t n)
{
	struct bytes rest, data;
	size_t before;
	bool more = true;

	must(buf_add(&r->in, p, n) == 0);
	rest = (struct bytes){ buf_data(&r->in), before = buf_len(&r->in) };
	while (more) {
		more = answer_next(&r->answer, &rest, &data);
		if (data.n > 0 && r->answer.is_gzip)
			decompress(r, data);
		else if (data.n > 0)
			take(r, data);
	}
	buf_consume(&r->in, before - rest.n);
	must(r->answer.facts.count <= FACT_HEADERS);
}

static void begin(struct reader *r, uint8_t choice)
{
	*r = (struct reader){ .frames.wrapping = (enum wrapping)(choice % 4) };
	answer_init(&r->answer);
	r->gunzip = gunzip_new();
	must(r->gunzip);
}

static void end(struct reader *r)
{
	answer_fini(&r->answer);
	gunzip_free(r->gunzip);
	frames_fini(&r->frames);
	buf_fini(&r->in);
	buf_fini(&r->found);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct reader whole, slow;

	if (n == 0 || n > 8192)
		return 0;
	begin(&whole, p[0]);
	begin(&slow, p[0]);
	read_more(&whole, p + 1, n - 1);
	for (size_t i = 1; i < n; i++)
		read_more(&slow, p + i, 1);
	must(!whole.answer.wrong == !slow.answer.wrong);
	if (!whole.answer.wrong && !whole.is_broken && !slow.is_broken) {
		must(buf_len(&whole.found) == buf_len(&slow.found));
		must(buf_len(&whole.found) == 0 ||
		     memcmp(buf_data(&whole.found), buf_data(&slow.found), buf_len(&whole.found)) ==
		         0);
	}
	end(&whole);
	end(&slow);
	return 0;
}
