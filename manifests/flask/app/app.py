import os

from flask import Flask, jsonify, render_template_string, request

app = Flask(__name__)
PAGE = "<!doctype html><title>Hello</title><p>Hello, {{ name }}!"


@app.get("/")
def hello():
    return render_template_string(PAGE, name=request.args.get("name", "world"))


@app.get("/health")
def health():
    return jsonify(status="ok", worker=os.getpid())
