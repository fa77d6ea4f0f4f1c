import os
import signal
from concurrent import futures
from pathlib import Path

import greeter_pb2
import greeter_pb2_grpc
import grpc


class Greeter(greeter_pb2_grpc.GreeterServicer):
    def Greet(self, request, context):
        return greeter_pb2.Reply(text=f"Hello, {request.name}!")

    def Count(self, request, context):
        for number, letter in enumerate(request.name, 1):
            yield greeter_pb2.Reply(text=f"{number} {letter}")


# Before any thread starts, so that it is this one that hears of them.
ends = {signal.SIGTERM, signal.SIGINT}
signal.pthread_sigmask(signal.SIG_BLOCK, ends)
# The key comes when the container starts, as a secret does; it is no part of the image.
secret = Path(os.environ.get("TLS_FOLDER", "/run/secrets/tls"))
pair = ((secret / "tls.key").read_bytes(), (secret / "tls.crt").read_bytes())
server = grpc.server(futures.ThreadPoolExecutor(4))
greeter_pb2_grpc.add_GreeterServicer_to_server(Greeter(), server)
server.add_secure_port("0.0.0.0:50051", grpc.ssl_server_credentials([pair]))
server.start()
print("ready", flush=True)
signal.sigwait(ends)
server.stop(grace=5).wait()
print("stopped", flush=True)
