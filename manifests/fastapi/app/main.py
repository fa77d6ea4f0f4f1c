import asyncio

from fastapi import FastAPI
from pydantic import BaseModel

app = FastAPI()


class Item(BaseModel):
    name: str
    price: float


@app.get("/")
async def hello():
    return {"hello": "world", "loop": type(asyncio.get_running_loop()).__module__}


@app.post("/items")
async def add(item: Item):
    return {"total": round(item.price * 1.19, 2), "name": item.name}
