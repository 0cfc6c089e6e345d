"""One loaded model: found out about, its rows built, its passes computed."""
