"""crowdsight: crowd tasks about images, and the workplace behind them."""
