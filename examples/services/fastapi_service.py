"""Serve a model file over HTTP.

MODEL=model.safetensors uvicorn fastapi_service:app
"""

import os

import numpy as np
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel

from dnncore.predictor import Predictor
from dnncore.table_predictor import TablePredictor

predictor = Predictor.load(os.environ["MODEL"])
app = FastAPI(title="Predictions of a dnncore model")

if isinstance(predictor, TablePredictor):
    Row = dict[str, float | bool | str | None]  # cells by the names of their columns
else:
    Row = list[float]


class Request(BaseModel):
    rows: list[Row]


class Answer(BaseModel):
    labels: list[int | str]
    probabilities: list[list[float]]


@app.post("/predict")
async def predict(request: Request) -> Answer:
    rows = request.rows
    try:
        if not isinstance(predictor, TablePredictor):
            rows = np.array(rows, predictor.dtype)
        p = predictor.predict_proba(rows)
    except (TypeError, ValueError) as error:
        raise HTTPException(422, str(error)) from error
    labels = predictor.classes_[p.argmax(axis=1)]
    return Answer(labels=labels.tolist(), probabilities=p.tolist())


@app.get("/model")
async def model() -> dict[str, list[int | str] | int]:
    return {"n_features": predictor.n_features, "classes": predictor.classes_.tolist()}
