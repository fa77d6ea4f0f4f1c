import ssl
import sys
from pathlib import Path

import greeter_pb2
import greeter_pb2_grpc
import grpc

target, name = sys.argv[1:]
# gRPC has trust roots of its own; those of the image are where OpenSSL looks.
roots = Path(ssl.get_default_verify_paths().cafile).read_bytes()
with grpc.secure_channel(target, grpc.ssl_channel_credentials(roots)) as channel:
    greeter = greeter_pb2_grpc.GreeterStub(channel)
    try:
        print(greeter.Greet(greeter_pb2.Request(name=name), timeout=20).text)
        for reply in greeter.Count(greeter_pb2.Request(name=name), timeout=20):
            print(reply.text)
    except grpc.RpcError as error:
        sys.exit(f"{error.code().name}: {error.details()}")
