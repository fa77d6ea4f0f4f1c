"""Runs inside an image: the native part of one project's wheel does its work.

    /usr/bin/python3 -I inside.py PROJECT

Each function is named after its project. Out: `works`, or the exception that came instead. Several of these projects fall
back to something lesser, and say nothing, when a library is missing: an import alone would not show it.
"""

import os
import sys


def aiohttp():
    import asyncio

    from aiohttp import _http_parser, _websocket, web  # noqa: F401 - compiled parts
    import aiohttp

    async def ask():
        async def hello(request):
            return web.json_response({"path": request.path})

        app = web.Application()
        app.router.add_get("/{name}", hello)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}/x") as answer:
            assert await answer.json() == {"path": "/x"}
        await runner.cleanup()

    asyncio.run(ask())


def bcrypt():
    import bcrypt

    assert bcrypt.checkpw(b"secret", bcrypt.hashpw(b"secret", bcrypt.gensalt(4)))


def cairocffi():
    import io

    import cairocffi

    surface = cairocffi.ImageSurface(cairocffi.FORMAT_ARGB32, 8, 8)
    cairocffi.Context(surface).paint()
    png = io.BytesIO()
    surface.write_to_png(png)
    assert png.getvalue().startswith(b"\x89PNG")


def cffi():
    import cffi

    ffi = cffi.FFI()
    ffi.cdef("size_t strlen(const char *);")
    assert ffi.dlopen(None).strlen(b"seven..") == 7


def cryptography():
    from cryptography.fernet import Fernet
    from cryptography.hazmat.backends.openssl import backend
    from cryptography.hazmat.primitives.asymmetric import ec

    box = Fernet(Fernet.generate_key())
    assert box.decrypt(box.encrypt(b"secret")) == b"secret"
    assert ec.generate_private_key(ec.SECP256R1()).key_size == 256
    assert backend.openssl_version_text()


def greenlet():
    from greenlet import greenlet, getcurrent

    main = getcurrent()
    assert greenlet(lambda value: main.switch(value + 1)).switch(1) == 2


def grpcio():
    from concurrent import futures

    import grpc

    same = lambda data: data
    method = grpc.unary_unary_rpc_method_handler(lambda request, context: request[::-1], same, same)
    server = grpc.server(futures.ThreadPoolExecutor(1))
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("s", {"m": method})])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        assert channel.unary_unary("/s/m", same, same)(b"abc", timeout=30) == b"cba"
    server.stop(None).wait()


def gunicorn():
    import gunicorn.app.wsgiapp
    import gunicorn.workers.gthread
    import gunicorn.workers.sync
    from gunicorn.config import Config

    assert Config().address


def h5py():
    import h5py
    import numpy

    with h5py.File("x.h5", "w", driver="core", backing_store=False) as file:
        file.create_dataset("a", data=numpy.arange(1000), compression="gzip")
        assert file["a"][:].sum() == 499500


def httptools():
    import httptools

    class Told:
        def on_url(self, url):
            self.url = url

    told = Told()
    httptools.HttpRequestParser(told).feed_data(b"GET /x?y=1 HTTP/1.1\r\nHost: a\r\n\r\n")
    assert httptools.parse_url(told.url).query == b"y=1"


def lightgbm():
    import lightgbm
    import numpy

    x = numpy.arange(200.0).reshape(100, 2)
    parameters = {"objective": "regression", "min_data_in_leaf": 1, "verbose": -1, "num_threads": 2}
    booster = lightgbm.train(parameters, lightgbm.Dataset(x, x[:, 0]), num_boost_round=50)
    assert abs(booster.predict(x)[50] - x[50, 0]) < 10


def lxml():
    import lxml.html
    from lxml import etree

    sheet = """<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
        <xsl:template match="/"><out><xsl:value-of select="count(//b)"/></out></xsl:template></xsl:stylesheet>"""
    assert etree.XSLT(etree.XML(sheet))(etree.XML("<a><b/><b/></a>")).getroot().text == "2"
    assert lxml.html.fromstring("<p>a<b>c").text_content() == "ac"


def markupsafe():
    import markupsafe
    from markupsafe import _speedups  # noqa: F401 - without it, Python code

    assert markupsafe.escape("<a>") == "&lt;a&gt;"


def matplotlib():
    import io

    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    pyplot.plot([1, 2, 4])
    pyplot.title("text needs FreeType")
    png = io.BytesIO()
    pyplot.savefig(png)
    assert png.getvalue().startswith(b"\x89PNG")


def numpy():
    import numpy

    a = numpy.arange(10000.0).reshape(100, 100)
    assert (a @ numpy.eye(100) == a).all() and numpy.dot([1, 2], [3, 4]) == 11
    assert abs(numpy.linalg.det(numpy.array([[2.0, 1.0], [1.0, 1.0]])) - 1) < 1e-12
    assert numpy.fft.fft(numpy.ones(8))[0] == 8 and numpy.random.default_rng(1).random() < 1


def onnxruntime():
    import onnxruntime

    # IR 8, opset 13, y = Identity(x) on one float: a model, in protobuf's bytes, that needs no other project.
    def field(number, data):
        return bytes([number << 3 | 2, len(data)]) + data

    kind = field(1, b"\x08\x01" + field(2, field(1, b"\x08\x01")))
    value = lambda name: field(1, name) + field(2, kind)
    node = field(1, b"x") + field(2, b"y") + field(4, b"Identity")
    graph = field(1, node) + field(2, b"g") + field(11, value(b"x")) + field(12, value(b"y"))
    model = b"\x08\x08" + field(7, graph) + field(8, field(1, b"") + b"\x10\x0d")
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    import numpy

    assert session.run(None, {"x": numpy.array([3], "float32")})[0][0] == 3


def opencv_python():
    import cv2
    import numpy

    picture = numpy.zeros((16, 16, 3), "uint8")
    for kind in (".png", ".jpg", ".webp", ".tiff"):
        done, data = cv2.imencode(kind, picture)
        assert done and cv2.imdecode(data, cv2.IMREAD_COLOR).shape == (16, 16, 3), kind
    assert cv2.GaussianBlur(picture, (3, 3), 0).shape == (16, 16, 3)
    assert "FFMPEG:                      YES" in cv2.getBuildInformation()


opencv_python_headless = opencv_python


def orjson():
    import orjson

    assert orjson.loads(orjson.dumps({"a": [1, 2.5, None]})) == {"a": [1, 2.5, None]}


def pandas():
    import io

    import pandas

    frame = pandas.DataFrame({"k": ["a", "b", "a"], "v": [1, 2, 3]})
    assert frame.groupby("k").v.sum().to_dict() == {"a": 4, "b": 2}
    assert pandas.read_csv(io.StringIO("t,v\n2026-11-01,1\n"), parse_dates=["t"]).t[0].year == 2026
    assert pandas.Timestamp("2026-07-01", tz="Europe/Berlin").utcoffset().seconds == 7200


def pillow():
    import io

    from PIL import Image, features

    for feature in ("avif", "webp", "jpg", "jpg_2000", "libtiff", "zlib", "freetype2", "littlecms2"):
        assert features.check(feature), feature
    for kind in ("AVIF", "WEBP", "JPEG", "PNG", "TIFF"):
        data = io.BytesIO()
        Image.new("RGB", (16, 16), "red").save(data, kind)
        assert Image.open(io.BytesIO(data.getvalue())).convert("RGB").size == (16, 16), kind


def polars_runtime_32():
    import polars

    frame = polars.DataFrame({"k": ["a", "b", "a"], "v": [1, 2, 3]})
    assert dict(frame.lazy().group_by("k").agg(polars.col("v").sum()).collect().iter_rows()) == {"a": 4, "b": 2}


def protobuf():
    from google.protobuf import struct_pb2
    from google.protobuf.internal import api_implementation

    # Without libstdc++6 it is "python", and nobody is told.
    assert api_implementation.Type() in ("upb", "cpp"), api_implementation.Type()
    told = struct_pb2.Struct()
    told.update({"a": 1})
    assert struct_pb2.Struct.FromString(told.SerializeToString())["a"] == 1


def psycopg_binary():
    import psycopg

    assert psycopg.pq.__impl__ == "binary", psycopg.pq.__impl__
    assert psycopg.pq.version() > 160000
    refused("psycopg", lambda: psycopg.connect("host=127.0.0.1 port=1 connect_timeout=5"), psycopg.OperationalError)


def psycopg2_binary():
    import psycopg2

    assert psycopg2.__libpq_version__ > 120000
    refused("psycopg2", lambda: psycopg2.connect("host=127.0.0.1 port=1"), psycopg2.OperationalError)


def refused(name, connect, error):
    """Nobody listens: the client library says so, having come that far."""
    try:
        connect()
    except error as said:
        assert "refused" in str(said), said
    else:
        raise AssertionError(f"{name} found a server")


def pyarrow():
    import io

    import pyarrow
    import pyarrow.compute
    import pyarrow.parquet

    table = pyarrow.table({"a": [1, 2, 3]})
    data = io.BytesIO()
    pyarrow.parquet.write_table(table, data, compression="zstd")
    assert pyarrow.parquet.read_table(io.BytesIO(data.getvalue())) == table
    assert pyarrow.compute.sum(table["a"]).as_py() == 6


def pycurl():
    import pathlib

    import pycurl

    pathlib.Path("/tmp/x").write_bytes(b"told")
    said = []
    handle = pycurl.Curl()
    handle.setopt(pycurl.URL, "file:///tmp/x")
    handle.setopt(pycurl.WRITEFUNCTION, said.append)
    handle.perform()
    assert b"".join(said) == b"told" and pycurl.version_info()[5]


def pydantic_core():
    from pydantic_core import SchemaValidator, core_schema, to_json

    assert SchemaValidator(core_schema.list_schema(core_schema.int_schema())).validate_python(["1", 2]) == [1, 2]
    assert to_json({"a": 1}) == b'{"a":1}'


def pyodbc():
    import pyodbc

    assert pyodbc.drivers() == []
    try:
        pyodbc.connect("DSN=none")
    except pyodbc.InterfaceError as said:
        assert "IM002" in str(said), said  # the driver manager itself speaks
    else:
        raise AssertionError("there is a data source")


def python_magic():
    import magic

    assert magic.from_buffer(b"%PDF-1.7\n", mime=True) == "application/pdf"


def pyzbar():
    from pyzbar import pyzbar

    assert pyzbar.decode((bytes(64 * 64), 64, 64)) == []


def pyzmq():
    import zmq

    context = zmq.Context()
    one, other = context.socket(zmq.PAIR), context.socket(zmq.PAIR)
    one.bind("inproc://a")
    other.connect("inproc://a")
    other.send(b"told")
    assert one.recv() == b"told" and zmq.curve_keypair()
    context.destroy()


def rasterio():
    import numpy
    import rasterio
    from rasterio.crs import CRS
    from rasterio.io import MemoryFile

    form = {"driver": "GTiff", "width": 4, "height": 4, "count": 1, "dtype": "uint8", "crs": CRS.from_epsg(32633)}
    with MemoryFile() as memory:
        with memory.open(**form) as out:
            out.write(numpy.ones((4, 4), "uint8"), 1)
        with memory.open() as back:
            assert back.read(1).sum() == 16 and back.crs.to_epsg() == 32633
    assert rasterio.__gdal_version__


def scikit_learn():
    import numpy
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LinearRegression

    x = numpy.arange(20.0).reshape(10, 2)
    assert abs(LinearRegression().fit(x, x.sum(axis=1)).predict([[1, 2]])[0] - 3) < 1e-9
    assert RandomForestClassifier(5, random_state=1).fit(x, x[:, 0] > 9).predict([[18, 19]])[0]


def scipy():
    import numpy
    import scipy.fft
    import scipy.integrate
    import scipy.linalg
    import scipy.optimize
    import scipy.sparse.linalg
    import scipy.spatial
    import scipy.special
    import scipy.stats

    a = numpy.array([[2.0, 1.0], [1.0, 3.0]])
    assert numpy.allclose(scipy.linalg.inv(a) @ a, numpy.eye(2))
    assert abs(scipy.integrate.quad(lambda t: t * t, 0, 3)[0] - 9) < 1e-9
    assert scipy.optimize.minimize(lambda p: (p[0] - 2) ** 2, [0]).success
    assert scipy.special.gamma(5) == 24 and scipy.stats.norm.cdf(0) == 0.5
    assert numpy.allclose(scipy.sparse.linalg.spsolve(scipy.sparse.csc_array(a), [3, 4]), [1, 1])


def shapely():
    import shapely

    assert shapely.Point(0, 0).buffer(1).intersection(shapely.box(0, 0, 2, 2)).area > 0.78
    assert shapely.from_wkt("POLYGON((0 0,0 1,1 1,1 0,0 0))").area == 1


def sounddevice():
    import sounddevice

    assert "PortAudio" in sounddevice.get_portaudio_version()[1]
    assert len(sounddevice.query_devices()) == 0


def sqlalchemy():
    import sqlalchemy
    from sqlalchemy.util import has_compiled_ext

    assert has_compiled_ext()
    with sqlalchemy.create_engine("sqlite://").connect() as connection:
        assert connection.execute(sqlalchemy.text("select 1 + 1")).scalar() == 2


def uvloop():
    import asyncio

    import uvloop

    async def which():
        await asyncio.sleep(0)
        return type(asyncio.get_running_loop()).__module__

    assert uvloop.run(which()) == "uvloop"


def weasyprint():
    import weasyprint

    assert weasyprint.HTML(string="<p>Grüße").write_pdf().startswith(b"%PDF")


if __name__ == "__main__":
    assert os.getuid() == 65532, os.getuid()
    sys.dont_write_bytecode = True
    globals()[sys.argv[1].replace("-", "_")]()
    print("works")
