/* The floor in C: one epoll loop that reads what there is, and discards it. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static char sink[64 << 10];

static void die(const char *what)
{
	perror(what);
	exit(1);
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: gather PORT\n");
		return 2;
	}
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[1])), .sin_addr = {htonl(INADDR_LOOPBACK)}};
	int on = 1, door = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), poll = epoll_create1(0);
	setsockopt(door, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (bind(door, (struct sockaddr *)&at, sizeof at) || listen(door, 1024))
		die("listen");
	struct epoll_event e = {.events = EPOLLIN, .data.fd = door}, ready[256];
	if (epoll_ctl(poll, EPOLL_CTL_ADD, door, &e))
		die("epoll_ctl");
	for (;;) {
		int n = epoll_wait(poll, ready, 256, -1);
		for (int i = 0; i < n; i++) {
			int fd = ready[i].data.fd;
			if (fd == door) {
				int peer = accept4(door, NULL, NULL, SOCK_NONBLOCK);
				if (peer < 0)
					continue;
				e.data.fd = peer;
				if (epoll_ctl(poll, EPOLL_CTL_ADD, peer, &e))
					die("epoll_ctl");
			} else if (read(fd, sink, sizeof sink) == 0) {
				close(fd);
			}
		}
	}
}
