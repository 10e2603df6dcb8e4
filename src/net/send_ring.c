/*
 * net/send_ring.c - sends by io_uring; see send_ring.h.
 *
 * Every send is tried within the call that submits it and is never left with the kernel:
 * MSG_DONTWAIT makes "would block" a result. So the ring is no second event loop; it
 * only spares the way into the kernel and back for each send.
 */
#include "config.h"

#include "net/send_ring.h"

#include <errno.h>

#ifdef HAVE_LIBURING

#include <liburing.h>
#include <sys/socket.h>

#include "base/mem.h"

struct send_ring {
	struct io_uring uring;
};

static int check_kernel(struct send_ring *ring)
{
	struct io_uring_probe *probe = io_uring_get_probe_ring(&ring->uring);
	bool can_send = probe && io_uring_opcode_supported(probe, IORING_OP_SEND);

	io_uring_free_probe(probe);
	return can_send ? 0 : -EOPNOTSUPP;
}

int send_ring_new(struct send_ring **out, unsigned most)
{
	struct send_ring *ring = mem_zalloc(sizeof(*ring));
	int err;

	if (!ring)
		return -ENOMEM;
	if ((err = io_uring_queue_init(most, &ring->uring, 0)) < 0) {
		mem_free(ring);
		return err;
	}
	if ((err = check_kernel(ring)) < 0) {
		send_ring_free(ring);
		return err;
	}
	*out = ring;
	return 0;
}

void send_ring_free(struct send_ring *ring)
{
	if (!ring)
		return;
	io_uring_queue_exit(&ring->uring);
	mem_free(ring);
}

static void prepare(struct send_ring *ring, struct send_op *op, unsigned i)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring->uring);

	io_uring_prep_send(sqe, op->fd, op->p, op->n, MSG_DONTWAIT | MSG_NOSIGNAL);
	sqe->user_data = i;
	op->result = SEND_NOT_TRIED;
}

/* How many the kernel has accepted. It may stop at one that is wrong, and go on behind it when
 * asked again. */
static unsigned submit(struct send_ring *ring, unsigned n, int *err)
{
	unsigned accepted = 0;

	*err = 0;
	while (accepted < n && *err == 0) {
		int more = io_uring_submit(&ring->uring);

		if (more > 0)
			accepted += (unsigned)more;
		else if (more != -EINTR)
			*err = more < 0 ? more : -EIO;
	}
	return accepted;
}

static unsigned reap(struct send_ring *ring, struct send_op *ops)
{
	struct io_uring_cqe *cqe;
	unsigned head, n = 0;

	io_uring_for_each_cqe(&ring->uring, head, cqe)
	{
		ops[cqe->user_data].result = cqe->res;
		n++;
	}
	io_uring_cq_advance(&ring->uring, n);
	return n;
}

int send_ring_send(struct send_ring *ring, struct send_op *ops, unsigned n)
{
	struct io_uring_cqe *cqe;
	unsigned accepted, ended;
	int err;

	for (unsigned i = 0; i < n; i++)
		prepare(ring, &ops[i], i);
	accepted = submit(ring, n, &err);
	ended = reap(ring, ops);
	/* None is late; but if one were, its bytes could not be given up before it has ended */
	while (ended < accepted) {
		io_uring_wait_cqe(&ring->uring, &cqe);
		ended += reap(ring, ops);
	}
	return err;
}

#else

int send_ring_new(struct send_ring **out, unsigned most)
{
	(void)out, (void)most;
	return -ENOSYS;
}

void send_ring_free(struct send_ring *ring)
{
	(void)ring;
}

int send_ring_send(struct send_ring *ring, struct send_op *ops, unsigned n)
{
	(void)ring, (void)ops, (void)n;
	return -ENOSYS;
}

#endif
